// SPDX-License-Identifier: MIT
// The rule is compared with transformers in tests/optimizer/adafactor_test.cpp.
#include "temper/backend/cpu/adafactor.hpp"

#include <doctest/doctest.h>

#include "support/workbench.hpp"

namespace adafactor_test {

using namespace temper;

constexpr AdafactorStep step{.learning_rate = 0.1, .fresh = 1, .epsilon = 1e-30, .largest = 1, .weight_decay = 0};

TEST_CASE("adafactor: squares that are a product of rows and columns are factored without loss") {
  Workbench<double> bench;
  const auto p = bench.matrix(7, 5, 1), g = bench.matrix(7, 5, 2), before = bench.clone(p);
  for (Index i = 0; i < 7; ++i)
    for (Index j = 0; j < 5; ++j)
      g(i, j) = (i % 2 == 0 ? 1.0 : -1.0) * (1 + static_cast<double>(i)) * std::ldexp(1.0, static_cast<int>(j));
  const auto rows = bench.vector(7, 3), columns = bench.vector(5, 4);
  adafactor(bench.ctx, p, g, rows, columns, step, 1);
  for (Index i = 0; i < 7; ++i)
    for (Index j = 0; j < 5; ++j)
      CHECK(before(i, j) - p(i, j) == doctest::Approx(i % 2 == 0 ? 0.1 : -0.1).epsilon(1e-12));
}

TEST_CASE("adafactor: an update longer than 'largest' is shortened to it") {
  Workbench<double> bench;
  const auto p = bench.vector(1000, 1), g = bench.vector(1000, 2), mean = bench.vector(1000, 3),
             before = bench.clone(p);
  for (Index i = 0; i < 1000; ++i) mean(i) = 1e-6;
  AdafactorStep late = step;
  late.fresh = 0.01;
  adafactor(bench.ctx, p, g, mean, late, 1);
  double squares = 0;
  for (Index i = 0; i < 1000; ++i) squares += (p(i) - before(i)) * (p(i) - before(i));
  CHECK(std::sqrt(squares / 1000) == doctest::Approx(0.1).epsilon(1e-9));
}

TEST_CASE("adafactor: shapes that do not fit are refused, also while planning") {
  Workbench<float> plan(1, Execution::planning);
  const auto x = keep<float>(plan.ctx, 30, 20);
  const auto rows = keep<float>(plan.ctx, 30), columns = keep<float>(plan.ctx, 20);
  adafactor(plan.ctx, x, x, rows, columns, step, 1);
  CHECK(plan.ctx.arena().scratched() == 0);
  adafactor(plan.ctx, rows, rows, rows, step, 1);
  CHECK_THROWS_AS(adafactor(plan.ctx, x, x, columns, rows, step, 1), Error);
  CHECK_THROWS_AS(adafactor(plan.ctx, rows, rows, columns, step, 1), Error);
}

}  // namespace adafactor_test
