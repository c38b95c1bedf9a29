// SPDX-License-Identifier: MIT
// The arithmetic of optimizers, and what clipping needs. Orders of operations follow torch.optim.AdamW and
// torch.optim.SGD for single tensors; gradient_scale multiplies the gradient first.
#pragma once
#include <atomic>

#include "temper/backend/cpu/math.hpp"
#include "temper/backend/cpu/operands.hpp"

namespace temper {

// bias1 = 1 - beta1^t, bias2 = 1 - beta2^t, with t counted from 1.
struct AdamWStep {
  double learning_rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0, bias1 = 1, bias2 = 1;
};

enum class Momentum { plain, nesterov };
enum class FirstStep { no, yes };

// weight_decay is torch's for SGD: added to the gradient, hence also to the momentum.
struct SgdStep {
  double learning_rate = 0, momentum = 0, weight_decay = 0;
  Momentum kind = Momentum::plain;
  FirstStep first = FirstStep::no;  // the buffer holds nothing yet and becomes the gradient
};

template <class Real, class Work>
void over_vector(Context<Cpu<Real>>& ctx, Index count, Work work) {
  const Pieces pieces = Pieces::of_elements(count);
  ctx.stream().parallel(pieces.count(), [&](Index piece, int) { work(pieces.begin(piece), pieces.end(piece)); });
}

// p *= 1 - lr wd;  m += (1 - beta1)(g - m);  v = beta2 v + (1 - beta2) g^2;  p -= lr / bias1 * m / (sqrt(v / bias2) +
// eps)
template <class Real>
void adamw(Context<Cpu<Real>>& ctx, OutVector<Real> value, InVector<Real> gradient, OutVector<Real> first,
           OutVector<Real> second, AdamWStep step, double gradient_scale) {
  require(gradient.shape == value.shape && first.shape == value.shape && second.shape == value.shape, Fault::usage,
          "adamw.shape", "adamw: value has {} elements, gradient {}, first moment {}, second {}; expected equal",
          value.size(), gradient.size(), first.size(), second.size());
  const Cost cost{15 * static_cast<double>(value.size()), 7 * bytes_of_all(gradient)};
  ctx.run("adamw", cost, [&] {
    const Real scale = static_cast<Real>(gradient_scale),
               keep_value = static_cast<Real>(1 - step.learning_rate * step.weight_decay),
               new_first = static_cast<Real>(1 - step.beta1), keep_second = static_cast<Real>(step.beta2),
               new_second = static_cast<Real>(1 - step.beta2), root_bias2 = static_cast<Real>(std::sqrt(step.bias2)),
               epsilon = static_cast<Real>(step.epsilon), size = static_cast<Real>(-step.learning_rate / step.bias1);
    over_vector(ctx, value.size(),
                [&, p = value.data, g = gradient.data, m = first.data, v = second.data](Index begin, Index end) {
                  for (Index i = begin; i < end; ++i) {
                    const Real scaled = g[i] * scale;
                    const Real mean = multiply_add(new_first, scaled - m[i], m[i]);
                    const Real square = multiply_add(new_second * scaled, scaled, v[i] * keep_second);
                    const Real denominator = std::sqrt(square) / root_bias2 + epsilon;
                    m[i] = mean;
                    v[i] = square;
                    p[i] = p[i] * keep_value + size * mean / denominator;
                  }
                });
  });
}

// g += wd p;  buffer = mu buffer + g;  p -= lr (buffer, or g + mu buffer for Nesterov). Without momentum p -= lr g.
template <class Real>
void sgd(Context<Cpu<Real>>& ctx, OutVector<Real> value, InVector<Real> gradient, OutVector<Real> momentum_buffer,
         SgdStep step, double gradient_scale) {
  const bool has_buffer = step.momentum != 0;
  require(gradient.shape == value.shape, Fault::usage, "sgd.shape",
          "sgd: value has {} elements and gradient {}; expected equal", value.size(), gradient.size());
  require(!has_buffer || momentum_buffer.shape == value.shape, Fault::usage, "sgd.shape",
          "sgd: value has {} elements and the momentum buffer {}; expected equal, since momentum is {}", value.size(),
          momentum_buffer.size(), step.momentum);
  const double size = static_cast<double>(value.size());
  ctx.run("sgd", {6 * size, (has_buffer ? 5 : 3) * bytes_of_all(gradient)}, [&] {
    const Real scale = static_cast<Real>(gradient_scale), decay = static_cast<Real>(step.weight_decay),
               momentum = static_cast<Real>(step.momentum), rate = static_cast<Real>(-step.learning_rate);
    const Real keep_buffer = step.first == FirstStep::yes ? Real(0) : momentum;
    over_vector(
        ctx, value.size(), [&, p = value.data, g = gradient.data, b = momentum_buffer.data](Index begin, Index end) {
          if (!has_buffer) {
            for (Index i = begin; i < end; ++i)
              p[i] = multiply_add(rate, multiply_add(decay, p[i], g[i] * scale), p[i]);
            return;
          }
          // What the buffer held before the first step is not read: it may be anything.
          if (step.first == FirstStep::yes) std::fill(b + begin, b + end, Real(0));
          const Real ahead = step.kind == Momentum::nesterov ? momentum : Real(0);
          const Real own = step.kind == Momentum::nesterov ? Real(1) : Real(0);
          for (Index i = begin; i < end; ++i) {
            const Real decayed = multiply_add(decay, p[i], g[i] * scale);
            const Real moved = multiply_add(keep_buffer, b[i], decayed);
            b[i] = moved;
            const Real direction = step.kind == Momentum::nesterov ? multiply_add(ahead, moved, own * decayed) : moved;
            p[i] = multiply_add(rate, direction, p[i]);
          }
        });
  });
}

// The sum of x^2 on the host; 0 while planning. Blocks of 4096 elements are summed each in its fixed tree, then in
// order.
template <class Real>
double sum_of_squares(Context<Cpu<Real>>& ctx, InVector<Real> x) {
  constexpr Index block = 4096;
  const Pieces blocks = Pieces::of(x.size(), block), pieces = Pieces::of(blocks.count(), Pieces::grain / block);
  const auto scope = ctx.scope();
  const auto partial = scratch<double>(ctx, blocks.count());
  double total = 0;
  ctx.run("sum_of_squares", {2 * static_cast<double>(x.size()), bytes_of_all(x)}, [&] {
    ctx.stream().parallel(pieces.count(), [&](Index piece, int) {
      for (Index i = pieces.begin(piece); i < pieces.end(piece); ++i)
        partial(i) = sum_over<double>(blocks.end(i) - blocks.begin(i), [from = x.data + blocks.begin(i)](Index j) {
          return static_cast<double>(from[j]) * static_cast<double>(from[j]);
        });
    });
    for (Index i = 0; i < partial.size(); ++i) total += partial(i);
  });
  return total;
}

template <class Real>
void zero(Context<Cpu<Real>>& ctx, OutVector<Real> x) {
  ctx.run("zero", {0, bytes_of_all(x)}, [&] {
    over_vector(ctx, x.size(), [to = x.data](Index begin, Index end) { std::fill(to + begin, to + end, Real(0)); });
  });
}

// Whether no element is infinite or NaN; true while planning.
template <class Real>
bool is_finite(Context<Cpu<Real>>& ctx, InVector<Real> x) {
  std::atomic<bool> finite = true;
  ctx.run("is_finite", {static_cast<double>(x.size()), bytes_of_all(x)}, [&] {
    over_vector(ctx, x.size(), [&, from = x.data](Index begin, Index end) {
      bool all = true;
      for (Index i = begin; i < end; ++i) all &= std::abs(from[i]) <= std::numeric_limits<Real>::max();
      if (!all) finite.store(false, std::memory_order_relaxed);
    });
  });
  return finite.load(std::memory_order_relaxed);
}

}  // namespace temper
