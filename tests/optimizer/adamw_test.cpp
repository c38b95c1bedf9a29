// SPDX-License-Identifier: MIT
// The rule's arithmetic is tested in tests/backend/cpu/update_test.cpp, and against torch in tests/train.
#include "temper/optimizer/adamw.hpp"

#include "support/one_parameter.hpp"

namespace adamw_test {

using namespace temper_test;

static_assert(Optimizer<AdamW, Cpu<float>> && check_optimizer<AdamW, Cpu<double>>());

TEST_CASE("adamw: the first step goes by the rate against the gradient's sign, whatever its size") {
  for (const double gradient : {1e-3, 1.0, 1e3}) {
    OneParameter one(AdamW{.weight_decay = 0}, {2, 2}, 5, gradient);
    CHECK(one.after({.number = 0, .rate = 0.01}) == doctest::Approx(4.99).epsilon(1e-6));
  }
}

TEST_CASE("adamw: matrices decay and vectors do not") {
  const AdamW rule{.weight_decay = 0.5};
  CHECK(OneParameter(rule, {2, 2}, 1, 0).after({.rate = 0.1}) == doctest::Approx(0.95).epsilon(1e-12));
  CHECK(OneParameter(rule, {1, 4}, 1, 0).after({.rate = 0.1}) == doctest::Approx(0.95).epsilon(1e-12));
  CHECK(OneParameter(rule, {4}, 1, 0).after({.rate = 0.1}) == 1);
}

TEST_CASE("adamw: a parameter's own rate scales its step and its decay") {
  OneParameter one(AdamW{.weight_decay = 0}, {4}, 5, 1, 3);
  CHECK(one.after({.number = 0, .rate = 0.01}) == doctest::Approx(4.97).epsilon(1e-6));
  CHECK(OneParameter(AdamW{.weight_decay = 0.5}, {2, 2}, 1, 0, 4).after({.rate = 0.1}) ==
        doctest::Approx(0.8).epsilon(1e-12));
}

TEST_CASE("adamw: clipping's scale reaches the moments") {
  OneParameter one(AdamW{.weight_decay = 0}, {4}, 5, 8);
  one.after({.number = 0, .rate = 0.01, .gradient_scale = 0.25});
  CHECK(one.state.first(0) == doctest::Approx(0.1 * 2).epsilon(1e-12));
  CHECK(one.state.second(0) == doctest::Approx(0.001 * 4).epsilon(1e-12));
}

TEST_CASE("adamw: two tensors of state, by name, counted as the optimizer's") {
  OneParameter one(AdamW{}, {3, 100}, 0, 0);
  CHECK(one.names() == std::vector<std::string>{"first", "second"});
  CHECK(one.state_bytes() == 2 * Arena::rounded(300 * sizeof(double)));
}

}  // namespace adamw_test
