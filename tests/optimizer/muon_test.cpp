// SPDX-License-Identifier: MIT
#include "temper/optimizer/muon.hpp"

#include "support/one_parameter.hpp"
#include "support/recorded_steps.hpp"

namespace muon_test {

using namespace temper_test;

static_assert(Optimizer<Muon, Cpu<float>> && check_optimizer<Muon, Cpu<double>>());

constexpr Muon recorded{.momentum = 0.9, .vectors = {.weight_decay = 0.1}};

TEST_CASE("muon: twenty steps are those of torch, with its iterations in float64") {
  RecordedSteps<double, Muon> exact(recorded, recorded_shapes);
  RecordedSteps<float, Muon> rounded(recorded, recorded_shapes);
  exact.steps(0, 1), rounded.steps(0, 1);
  CHECK(exact.difference("muon", 1, 7) < 1e-12);
  exact.steps(1, 20), rounded.steps(1, 20);
  CHECK(exact.difference("muon", 20, 7) < 1e-11);
  CHECK(rounded.difference("muon", 20, 7) < 1e-5);
  // torch as it is: bfloat16 has eight bits.
  CHECK(exact.difference("muon_bfloat16", 20, 3) < 2e-2);
}

TEST_CASE("muon: a single number moves by the rate times what five iterations make of one") {
  double one = 1;
  for (int i = 0; i < 5; ++i) one = 3.4445 * one - 4.7750 * std::pow(one, 3) + 2.0315 * std::pow(one, 5);
  for (const double gradient : {1e-3, 1.0, 1e3}) {
    OneParameter number(Muon{.vectors = {.weight_decay = 0}}, {1, 1}, 5, gradient, 2);
    CHECK(number.after({.rate = 0.01}) == doctest::Approx(5 - 0.02 * one).epsilon(1e-9));
  }
}

TEST_CASE("muon: the size of a step follows the shape") {
  const auto step = [](std::vector<Index> shape, Muon::Size size) {
    return 5 - OneParameter(Muon{.size = size, .vectors = {.weight_decay = 0}}, shape, 5, 1).after({.rate = 0.01});
  };
  const double original = step({16, 1}, Muon::Size::original), wide = step({1, 16}, Muon::Size::original);
  CHECK(original == doctest::Approx(4 * wide).epsilon(1e-9));
  CHECK(step({16, 1}, Muon::Size::like_adamw) == doctest::Approx(0.2 * original).epsilon(1e-9));
  CHECK(step({1, 16}, Muon::Size::like_adamw) == doctest::Approx(0.8 * wide).epsilon(1e-9));
}

TEST_CASE("muon: matrices decay, vectors are AdamW's, and no gradient moves nothing") {
  const Muon rule{.vectors = {.weight_decay = 0.5}};
  CHECK(OneParameter(rule, {2, 2}, 1, 0).after({.rate = 0.1}) == doctest::Approx(0.95).epsilon(1e-12));
  CHECK(OneParameter(rule, {4}, 1, 0).after({.rate = 0.1}) == 1);
  CHECK(OneParameter(rule, {4}, 5, 7).after({.rate = 0.01}) == OneParameter(AdamW{}, {4}, 5, 7).after({.rate = 0.01}));
}

TEST_CASE("muon: threads do not change bits") { check_threads(Muon{}); }

TEST_CASE("muon: a matrix remembers its momentum, and nothing without one; a vector two moments") {
  OneParameter with(Muon{}, {3, 100}, 0, 0), without(Muon{.momentum = 0}, {3, 100}, 0, 0), vector(Muon{}, {100}, 0, 0);
  CHECK(with.names() == std::vector<std::string>{"momentum"});
  CHECK(with.state_bytes() == Arena::rounded(300 * sizeof(double)));
  CHECK(without.names().empty());
  CHECK(without.state_bytes() == 0);
  CHECK(vector.names() == std::vector<std::string>{"first", "second"});
}

}  // namespace muon_test
