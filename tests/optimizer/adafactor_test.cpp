// SPDX-License-Identifier: MIT
#include "temper/optimizer/adafactor.hpp"

#include "support/one_parameter.hpp"
#include "support/recorded_steps.hpp"

namespace adafactor_test {

using namespace temper_test;

static_assert(Optimizer<Adafactor, Cpu<float>> && check_optimizer<Adafactor, Cpu<double>>());

TEST_CASE("adafactor: the first step of an even gradient goes by the rate, whatever its size") {
  for (const double gradient : {1e-3, 1.0, 1e3}) {
    OneParameter vector(Adafactor{.weight_decay = 0}, {4}, 5, gradient);
    CHECK(vector.after({.rate = 0.01}) == doctest::Approx(4.99).epsilon(1e-9));
  }
}

TEST_CASE("adafactor: twenty steps are those of transformers, without scale_parameter, relative_step and beta1") {
  RecordedSteps<double, Adafactor> exact(Adafactor{.weight_decay = 0.1}, recorded_shapes);
  RecordedSteps<float, Adafactor> rounded(Adafactor{.weight_decay = 0.1}, recorded_shapes);
  exact.steps(0, 1), rounded.steps(0, 1);
  CHECK(exact.difference("adafactor", 1, 8) < 1e-13);
  exact.steps(1, 20), rounded.steps(1, 20);
  CHECK(exact.difference("adafactor", 20, 8) < 1e-12);
  CHECK(rounded.difference("adafactor", 20, 8) < 1e-5);
}

TEST_CASE("adafactor: vectors do not decay, and no gradient moves nothing") {
  const Adafactor rule{.weight_decay = 0.5};
  CHECK(OneParameter(rule, {4}, 1, 0).after({.rate = 0.1}) == 1);
}

TEST_CASE("adafactor: threads do not change bits") { check_threads(Adafactor{}); }

TEST_CASE("adafactor: a matrix remembers a number a row and a number a column, a vector one an element") {
  Memory<Cpu<float>> memory(Execution::planning);
  Parameter<Cpu<float>> matrix{.name = "m", .shape = {300, 500}}, vector{.name = "v", .shape = {300}};
  matrix.value.shape = {300, 500}, vector.value.shape = {1, 300};
  auto factored = Adafactor{}.state(memory, matrix);
  CHECK(memory.bytes()[static_cast<std::size_t>(Holder::optimizer)] ==
        Arena::rounded(300 * sizeof(float)) + Arena::rounded(500 * sizeof(float)));
  auto whole = Adafactor{}.state(memory, vector);
  std::vector<std::string> names;
  const auto note = [&](std::string_view name, auto) { names.emplace_back(name); };
  factored.visit(note), whole.visit(note);
  CHECK(names == std::vector<std::string>{"row", "column", "square"});
}

}  // namespace adafactor_test
