// SPDX-License-Identifier: MIT
#include "temper/testing/gradient_check.hpp"

#include <doctest/doctest.h>

#include "temper/adapter/full.hpp"
#include "temper/adapter/lora.hpp"
#include "temper/objective/pairs.hpp"

namespace gradient_check_test {

using namespace temper;

// LoRA with one of the gradients off by a hundredth.
struct WrongLora : Lora<> {
  template <class B>
  struct Linear : LoraLinear<B> {
    using Saved = typename LoraLinear<B>::Saved;
    void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) {
      LoraLinear<B>::backward(ctx, dy, dx, saved);
      this->low_rank->a.gradient(0, 0) += 0.01 * std::abs(this->low_rank->a.gradient(0, 0)) + 0.01;
    }
  };
  template <class B>
  Linear<B> linear(Builder<B>& build, std::string_view path, LinearShape shape) const {
    return {Lora<>::linear<B>(build, path, shape)};
  }
};

// The pair's sigmoid loss; 'slope_error' spoils its slope.
struct Sigmoid {
  double slope_error = 0;
  template <class B>
  using Input = LogProbs<B>;
  template <class B>
  using Batch = PairBatch<B>;
  PairTerm operator()(double chosen, double rejected) const {
    const double slope = -sigmoid(rejected - chosen) + slope_error;
    return {.loss = softplus(rejected - chosen), .chosen = slope, .rejected = -slope};
  }
  template <class B>
  Loss loss(Context<B>& ctx, LogProbs<B> logp, const PairBatch<B>& batch,
            View<B, typename B::Activation, 1> dlogp) const {
    return loss_of_pairs(ctx, *this, Reduce::sum, logp, batch, dlogp);
  }
};

TEST_CASE("gradient check: adapters that ship pass") {
  CHECK(check_adapter_gradient(Full{}, 5, 6, 7).largest_error < 1e-7);
  CHECK(check_adapter_gradient(Lora<>{.rank = 2, .alpha = 4}, 5, 6, 7).largest_error < 1e-7);
  CHECK(check_adapter_gradient(Lora<>{.rank = 2, .alpha = 4, .dropout = 0.3}, 5, 6, 7).largest_error < 1e-7);
}

TEST_CASE("gradient check: one wrong element of one parameter is found, and the parameter named") {
  WrongLora wrong;
  wrong.rank = 2;
  const GradientCheck check = check_adapter_gradient(wrong, 5, 6, 7);
  CHECK(check.largest_error > 1e-4);
  CHECK(check.where == "check.q_proj.lora_A.weight");
}

TEST_CASE("gradient check: an objective on pairs passes, and one with a wrong slope does not") {
  CHECK(check_objective_gradient(Sigmoid{}).largest_error < 1e-7);
  CHECK(check_objective_gradient(Sigmoid{.slope_error = 1e-3}).largest_error > 1e-4);
}

TEST_CASE("gradient check: layers made of layers pass, and the parameter's own name is told") {
  // [check_layer]
  using B = Cpu<double>;
  Memory<B> memory(Execution::running);
  Threads stream(1);
  Builder<B> build(memory, stream, nullptr, 1);  // no source: values by seed and name
  Residual<B, Full::Linear<B>> layer{Full{}.linear<B>(build, "square", {.in = 6, .out = 6, .bias = true})};
  const GradientCheck check = check_layer(layer, 5, 6, 6);  // 5 tokens, 6 inputs, 6 outputs
  CHECK(check.largest_error < 1e-7);
  // [/check_layer]
  using Pair = Sequence<B, Lora<>::Linear<B>, Full::Linear<B>>;
  Pair pair{Lora<>{.rank = 2}.linear<B>(build, "first", {.in = 6, .out = 4, .bias = true}),
            Full{}.linear<B>(build, "second", {.in = 4, .out = 3, .bias = true}), 4};
  CHECK(check_layer(pair, 5, 6, 3).largest_error < 1e-7);
}

TEST_CASE("gradient check: a wrong gradient of the input is found, and so is a path that is forgotten") {
  using B = Cpu<double>;
  struct WrongInput : Full::Linear<B> {
    double factor = 1;
    void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) {
      Full::Linear<B>::backward(ctx, dy, dx, saved);
      dx.view(0, 0) *= factor;
    }
  };
  Memory<B> memory(Execution::running);
  Threads stream(1);
  Builder<B> build(memory, stream, nullptr, 1);
  WrongInput layer{Full{}.linear<B>(build, "p", {.in = 4, .out = 3})};
  CHECK(check_layer(layer, 5, 4, 3).largest_error < 1e-8);
  for (const double factor : {-1.0, 0.0, 1.001}) {
    layer.factor = factor;
    const GradientCheck check = check_layer(layer, 5, 4, 3);
    CHECK(check.largest_error > 1e-5);
    CHECK(check.where == "x");
  }
}

TEST_CASE("gradient check: a gradient that is no number, or infinite, is found; values stay as they were") {
  std::vector<double> values = {1, 2};
  const std::function<double()> loss = [&] { return values[0] * values[0] + 3 * values[1]; };
  for (const double wrong : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 7.0}) {
    GradientCheck check;
    compare_gradient(check, "fine", values, std::vector<double>{2, 3}, loss);
    CHECK(check.largest_error < 1e-9);
    compare_gradient(check, "wrong", values, std::vector<double>{2, wrong}, loss);
    CHECK(check.largest_error > 0.1);
    CHECK(check.where == "wrong");
  }
  CHECK(values == std::vector<double>{1, 2});
}

}  // namespace gradient_check_test
