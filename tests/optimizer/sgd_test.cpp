// SPDX-License-Identifier: MIT
// The rule's arithmetic is tested in tests/backend/cpu/update_test.cpp, and against torch in tests/train.
#include "temper/optimizer/sgd.hpp"

#include "support/one_parameter.hpp"

namespace sgd_test {

using namespace temper_test;

static_assert(Optimizer<Sgd, Cpu<float>> && check_optimizer<Sgd, Cpu<double>>());

TEST_CASE("sgd: a step goes down the gradient, scaled by rate, clipping and the parameter's own rate") {
  OneParameter one(Sgd{}, {4}, 5, 8, 3);
  CHECK(one.after({.rate = 0.1, .gradient_scale = 0.5}) == doctest::Approx(5 - 0.1 * 3 * 4).epsilon(1e-12));
}

TEST_CASE("sgd: matrices decay and vectors do not") {
  const Sgd rule{.weight_decay = 0.5};
  CHECK(OneParameter(rule, {2, 2}, 1, 0).after({.rate = 0.1}) == doctest::Approx(0.95).epsilon(1e-12));
  CHECK(OneParameter(rule, {4}, 1, 0).after({.rate = 0.1}) == 1);
}

TEST_CASE("sgd: momentum starts with the gradient and adds up; Nesterov's looks ahead") {
  OneParameter classical(Sgd{.momentum = 0.5}, {4}, 0, 1);
  CHECK(classical.after({.number = 0, .rate = 1}) == doctest::Approx(-1));
  CHECK(classical.after({.number = 1, .rate = 1}) == doctest::Approx(-2.5));
  OneParameter nesterov(Sgd{.momentum = 0.5, .kind = Momentum::nesterov}, {4}, 0, 1);
  CHECK(nesterov.after({.number = 0, .rate = 1}) == doctest::Approx(-1.5));
}

TEST_CASE("sgd: it remembers the momentum, and nothing without one") {
  OneParameter with(Sgd{.momentum = 0.9}, {3, 100}, 0, 0), without(Sgd{}, {3, 100}, 0, 0);
  CHECK(with.names() == std::vector<std::string>{"momentum"});
  CHECK(with.state_bytes() == Arena::rounded(300 * sizeof(double)));
  CHECK(without.names().empty());
  CHECK(without.state_bytes() == 0);
}

}  // namespace sgd_test
