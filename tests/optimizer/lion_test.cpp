// SPDX-License-Identifier: MIT
#include "temper/optimizer/lion.hpp"

#include "support/one_parameter.hpp"
#include "support/recorded_steps.hpp"

namespace lion_test {

using namespace temper_test;

static_assert(Optimizer<Lion, Cpu<float>> && check_optimizer<Lion, Cpu<double>>());

TEST_CASE("lion: every step goes by the rate, whatever the gradient's size, and by nothing without a gradient") {
  for (const double gradient : {1e-3, 1.0, -1e3}) {
    OneParameter one(Lion{.weight_decay = 0}, {2, 2}, 5, gradient, 2);
    CHECK(one.after({.rate = 0.01}) == doctest::Approx(gradient > 0 ? 4.98 : 5.02).epsilon(1e-12));
  }
  CHECK(OneParameter(Lion{.weight_decay = 0}, {2, 2}, 5, 0).after({.rate = 0.01}) == 5);
}

TEST_CASE("lion: the direction mixes with beta1 and the mean with beta2, both after clipping") {
  OneParameter one(Lion{.beta1 = 0.5, .beta2 = 0.75, .weight_decay = 0}, {4}, 0, 8);
  CHECK(one.after({.rate = 1, .gradient_scale = 0.5}) == -1);
  CHECK(one.state.mean(0) == doctest::Approx(0.25 * 4));
  std::fill_n(one.p.gradient.data, 4, -0.5);  // 0.5 x 1 - 0.5 x 0.5 > 0: the mean still outweighs the gradient
  CHECK(one.after({.number = 1, .rate = 1}) == -2);
  std::fill_n(one.p.gradient.data, 4, -1.0);
  CHECK(one.after({.number = 2, .rate = 1}) == -1);
}

TEST_CASE("lion: matrices decay and vectors do not") {
  const Lion rule{.weight_decay = 0.5};
  CHECK(OneParameter(rule, {2, 2}, 1, 0).after({.rate = 0.1}) == doctest::Approx(0.95).epsilon(1e-12));
  CHECK(OneParameter(rule, {4}, 1, 0).after({.rate = 0.1}) == 1);
}

TEST_CASE("lion: twenty steps are those of bitsandbytes' Lion32bit") {
  RecordedSteps<float, Lion> steps(Lion{.weight_decay = 0.1}, recorded_shapes);
  steps.steps(0, 1);
  CHECK(steps.difference("lion", 1, 6) < 1e-6);
  steps.steps(1, 20);
  CHECK(steps.difference("lion", 20, 6) < 1e-6);
}

TEST_CASE("lion: threads do not change bits; one number of state an element") {
  check_threads(Lion{});
  OneParameter one(Lion{}, {3, 100}, 0, 0);
  CHECK(one.names() == std::vector<std::string>{"mean"});
  CHECK(one.state_bytes() == Arena::rounded(300 * sizeof(double)));
}

}  // namespace lion_test
