// SPDX-License-Identifier: MIT
// Gradients against central differences, in double: for a layer, an adapter, an objective, and for whole losses. The
// answer is the largest error relative to the largest gradient of its tensor.
#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "temper/backend/cpu.hpp"
#include "temper/core/builder.hpp"
#include "temper/objective/objective.hpp"

namespace temper {

struct GradientCheck {
  double largest_error = 0;  // relative
  std::string where;         // the tensor that has it
};

// Compares 'analytic' with the central differences of 'loss' in 'values'. Large tensors are sampled evenly.
inline void compare_gradient(GradientCheck& check, const std::string& name, std::span<double> values,
                             std::span<const double> analytic, const std::function<double()>& loss,
                             double step = 1e-5) {
  constexpr std::size_t most = 64;
  const std::size_t stride = std::max<std::size_t>(1, values.size() / most);
  double largest = 1e-8, error = 0;
  for (const double g : analytic) largest = std::max(largest, std::abs(g));
  for (std::size_t i = 0; i < values.size(); i += stride) {
    const double at = values[i];
    values[i] = at + step;
    const double above = loss();
    values[i] = at - step;
    const double below = loss();
    values[i] = at;
    const double own = std::abs((above - below) / (2 * step) - analytic[i]);
    error = std::isnan(own) ? std::numeric_limits<double>::infinity() : std::max(error, own);
  }
  const double relative = std::isfinite(error / largest) ? error / largest : std::numeric_limits<double>::infinity();
  if (check.where.empty() || relative > check.largest_error) check = {relative, name};
}

// A layer's gradients in its input and in all its parameters, under the loss sum(weights * y) for fixed random weights.
template <class L>
GradientCheck check_layer(L& layer, Index rows, Index in, Index out, std::uint64_t seed = 1) {
  using B = Cpu<double>;
  static_assert(Layer<L, B>,
                "temper: check_layer needs a layer of Cpu<double>: Saved, forward, backward and visit; see "
                "docs/layers.md");
  Threads stream(1);
  std::vector<std::byte> memory(std::size_t{1} << 24);
  Arena arena(memory.data(), memory.size());
  Context<B> ctx(stream, arena, seed, Execution::running);
  ctx.set_mode(Mode::training);
  const Random random{seed, random_site("check_layer"), 0};
  std::vector<double> x(static_cast<std::size_t>(rows * in)), weights(static_cast<std::size_t>(rows * out)),
      y(weights.size()), dx(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = random.normal(i);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = random.normal(x.size() + i);
  // Initial values such as B = 0 hide mistakes: every parameter gets a value of its own.
  std::uint64_t element = x.size() + weights.size();
  layer.visit([&](Parameter<B>& p) {
    for (Index i = 0; i < p.size(); ++i) p.value.data[i] = 0.3 * random.normal(element++), p.gradient.data[i] = 0;
  });

  const View<B, double, 2> y_view(y.data(), {rows, out}), dx_view(dx.data(), {rows, in});
  const View<B, const double, 2> x_view(x.data(), {rows, in}), dy_view(weights.data(), {rows, out});
  const auto forward = [&](auto&& then) {
    const auto scope = ctx.scope();
    const auto keeping = ctx.keeping();
    typename L::Saved saved{};
    layer.forward(ctx, x_view, into(y_view), saved);
    then(saved);
  };
  forward([&](auto& saved) { layer.backward(ctx, dy_view, into(dx_view), saved); });
  const std::function<double()> loss = [&] {
    double sum = 0;
    forward([&](auto&) {
      for (std::size_t i = 0; i < y.size(); ++i) sum += weights[i] * y[i];
    });
    return sum;
  };

  GradientCheck check;
  compare_gradient(check, "x", x, dx, loss);
  layer.visit([&](Parameter<B>& p) {
    const auto size = static_cast<std::size_t>(p.size());
    compare_gradient(check, p.name, {p.value.data, size}, {p.gradient.data, size}, loss);
  });
  return check;
}

// An adapter's linear layer on a random frozen matrix.
template <class A>
GradientCheck check_adapter_gradient(const A& adapter, Index rows, Index in, Index out, std::uint64_t seed = 1) {
  using B = Cpu<double>;
  Memory<B> memory(Execution::running);
  Threads stream(1);
  Builder<B> build(memory, stream, nullptr, seed, 0.3);
  auto layer = adapter.template linear<B>(build, "check.q_proj", LinearShape{in, out, false});
  return check_layer(layer, rows, in, out, seed);
}

// An objective's dscores against its loss, on documents with random scores of which one in each row is labelled.
template <class O>
GradientCheck check_score_gradient(const O& objective, Index pairs = 3, Index outputs = 1, std::uint64_t seed = 1) {
  using B = Cpu<double>;
  static_assert(check_objective<O, B>() && ReadsScores<O, B>);
  Threads stream(1);
  std::vector<std::byte> memory(std::size_t{1} << 20);
  Arena arena(memory.data(), memory.size());
  Context<B> ctx(stream, arena, seed, Execution::running);
  const Random random{seed, random_site("check_score_gradient"), 0};
  const Index documents = 2 * pairs;
  std::vector<double> scores(static_cast<std::size_t>(documents * outputs)), labels(scores.size(), 0);
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = random.normal(i);
  for (Index d = 0; d < documents; ++d) labels[static_cast<std::size_t>(d * outputs + d % outputs)] = 1;
  std::vector<double> dscores(scores.size()), ignored(scores.size());

  TokenBatch<B> tokens;
  tokens.labels = {labels.data(), {std::ssize(labels)}};
  tokens.documents = documents;
  const auto batch = O::template Batch<B>::of(tokens, static_cast<double>(documents));
  const auto loss_with = [&](std::vector<double>& slopes) {
    const auto scope = ctx.scope();
    const Scores<B> input{{scores.data(), {documents, outputs}}};
    return objective.loss(ctx, input, batch, View<B, double, 2>(slopes.data(), {documents, outputs})).sum /
           batch.denominator;
  };
  loss_with(dscores);
  GradientCheck check;
  compare_gradient(check, "scores", scores, dscores, [&] { return loss_with(ignored); });
  return check;
}

// An objective's dlogp against its loss, on documents of one to three tokens with random log-probabilities.
template <class O>
GradientCheck check_objective_gradient(const O& objective, Index pairs = 3, std::uint64_t seed = 1) {
  using B = Cpu<double>;
  static_assert(check_objective<O, B>());
  static_assert(!GradientKnown<O>,
                "temper: the gradient of a cross-entropy is the head's own, which the head's tests check; there is "
                "nothing left to check here");
  static_assert(!ReadsScores<O, B>, "temper: this objective reads scores; check it with check_score_gradient");
  Threads stream(1);
  std::vector<std::byte> memory(std::size_t{1} << 20);
  Arena arena(memory.data(), memory.size());
  Context<B> ctx(stream, arena, seed, Execution::running);
  const Random random{seed, random_site("check_objective_gradient"), 0};
  std::vector<double> logp;
  std::vector<std::int32_t> sequence_of;
  for (std::int32_t s = 0; s < 2 * pairs; ++s)
    for (int t = 0; t <= s % 3; ++t) logp.push_back(-3 * random.uniform(logp.size())), sequence_of.push_back(s);
  std::vector<double> dlogp(logp.size()), ignored(logp.size());

  const auto tokens = std::ssize(logp);
  const LogProbs<B> input{{logp.data(), {tokens}}, {sequence_of.data(), {tokens}}, 2 * pairs};
  const typename O::template Batch<B> batch{pairs, static_cast<double>(pairs)};
  const auto loss_with = [&](std::vector<double>& slopes) {
    const auto scope = ctx.scope();
    return objective.loss(ctx, input, batch, View<B, double, 1>(slopes.data(), {tokens})).sum / batch.denominator;
  };
  loss_with(dlogp);
  GradientCheck check;
  compare_gradient(check, "logp", logp, dlogp, [&] { return loss_with(ignored); });
  return check;
}

}  // namespace temper
