// SPDX-License-Identifier: MIT
#include "temper/model/heads.hpp"

#include "support/layer_bench.hpp"
#include "support/pair_objectives.hpp"
#include "support/small_config.hpp"
#include "temper/objective/causal_lm.hpp"

namespace heads_test {

using namespace temper_test;

using B = Cpu<double>;

// Four documents of two tokens; the first token of each predicts the second, and one predicts nothing.
struct Bench : LayerBench<double> {
  std::vector<TokenId> tokens = {1, 2, 3, 4, 5, 6, 7, 8}, targets = {2, 0, 4, 1, 6, 0, 8, 0};
  std::vector<std::uint8_t> supervised = {1, 0, 1, 1, 1, 0, 1, 0};
  std::vector<Index> starts = {0, 2, 4, 6, 8};
  BatchStaging<B> staging;
  TokenBatch<B> batch = upload_batch(ctx, staging, small_config(), HostBatch{tokens, targets, supervised, starts});
  View<B, double, 2> weight = filled(11, 8, 1), dweight = filled(11, 8, 2), hidden = filled(8, 8, 3),
                     dhidden = filled(8, 8, 4);
  HeadOf<B> head() const { return {DenseMatrix<B>(weight), dweight}; }

  Loss run(const auto& objective, double denominator) {
    return head_and_loss(ctx, objective, head(), In<B>(hidden), dhidden, batch, denominator);
  }
  GradientCheck check(const auto& objective, double denominator) {
    std::fill_n(dweight.data, dweight.size(), 0.0);
    ctx.set_mode(Mode::training);
    run(objective, denominator);
    ctx.set_mode(Mode::evaluating);
    const std::function<double()> loss = [&] { return run(objective, denominator).sum / denominator; };
    GradientCheck result;
    compare_gradient(result, "hidden", {hidden.data, 64}, {dhidden.data, 64}, loss);
    compare_gradient(result, "weight", {weight.data, 88}, {dweight.data, 88}, loss);
    return result;
  }
};

TEST_CASE("heads: gradients of the head and of the hidden states match central differences") {
  for (const CausalLm& objective : {CausalLm{}, CausalLm{.label_smoothing = 0.1}, CausalLm{.z_loss = 0.01}}) {
    Bench bench;
    const GradientCheck check = bench.check(objective, 7);
    CAPTURE(check.where);
    CHECK(check.largest_error < 1e-7);
  }
  Bench bench;
  const GradientCheck check = bench.check(SimPo{}, 2);
  CAPTURE(check.where);
  CHECK(check.largest_error < 1e-7);
}

TEST_CASE("heads: the loss is the sum over what is supervised, whatever the denominator") {
  Bench bench;
  const Loss loss = bench.run(CausalLm{}, 5);
  double sum = 0, correct = 0;
  for (std::size_t t = 0; t < 8; ++t) {
    if (!bench.supervised[t]) continue;
    std::vector<double> logits(11, 0);
    double total = 0;
    for (Index v = 0; v < 11; ++v) {
      auto& z = logits[static_cast<std::size_t>(v)];
      for (Index i = 0; i < 8; ++i) z += bench.hidden.data[static_cast<Index>(t) * 8 + i] * bench.weight(v, i);
      total += std::exp(z);
    }
    const auto target = static_cast<std::size_t>(bench.targets[t]);
    sum += std::log(total) - logits[target];
    correct += *std::max_element(logits.begin(), logits.end()) == logits[target];
  }
  CHECK(loss.sum == doctest::Approx(sum).epsilon(1e-12));
  CHECK(loss.plain == doctest::Approx(sum).epsilon(1e-12));
  CHECK(loss.correct == correct);
  CHECK(loss.count == 5);
  CHECK(bench.run(CausalLm{}, 50).sum == loss.sum);
  CHECK(bench.run(SimPo{}, 2).count == 2);
}

TEST_CASE("heads: gradients scale with one over the denominator, and those of the head add up") {
  Bench bench;
  std::fill_n(bench.dweight.data, 88, 0.0);
  bench.run(CausalLm{}, 1);
  const std::vector<double> hidden(bench.dhidden.data, bench.dhidden.data + 64),
      weight(bench.dweight.data, bench.dweight.data + 88);
  bench.run(CausalLm{}, 4);
  for (std::size_t i = 0; i < 64; ++i) CHECK(bench.dhidden.data[i] == doctest::Approx(hidden[i] / 4).epsilon(1e-12));
  for (std::size_t i = 0; i < 88; ++i) CHECK(bench.dweight.data[i] == doctest::Approx(1.25 * weight[i]).epsilon(1e-12));
}

TEST_CASE("heads: positions that are not supervised have the gradient zero") {
  for (const bool pairs : {false, true}) {
    Bench bench;
    if (pairs)
      bench.run(SimPo{}, 2);
    else
      bench.run(CausalLm{}, 5);
    for (Index t = 0; t < 8; ++t) {
      double largest = 0;
      for (Index i = 0; i < 8; ++i) largest = std::max(largest, std::abs(bench.dhidden(t, i)));
      CHECK((largest > 0) == (bench.supervised[static_cast<std::size_t>(t)] == 1));
    }
  }
}

TEST_CASE("heads: evaluation gives the loss of training and touches no gradient") {
  Bench bench;
  const double simpo = bench.run(SimPo{}, 2).sum, causal = bench.run(CausalLm{}, 5).sum;
  const std::vector<double> before(bench.dweight.data, bench.dweight.data + 88),
      hidden(bench.dhidden.data, bench.dhidden.data + 64);
  bench.ctx.set_mode(Mode::evaluating);
  CHECK(bench.run(SimPo{}, 2).sum == simpo);
  CHECK(bench.run(CausalLm{}, 5).sum == causal);
  CHECK(std::equal(before.begin(), before.end(), bench.dweight.data));
  CHECK(std::equal(hidden.begin(), hidden.end(), bench.dhidden.data));
}

}  // namespace heads_test
