// SPDX-License-Identifier: MIT
#include "temper/model/finite.hpp"

#include <doctest/doctest.h>

#include "support/workbench.hpp"
#include "temper/backend/cpu/update.hpp"

namespace finite_test {

using namespace temper;

TEST_CASE_TEMPLATE("finite: a value that is none is named with its step and place, when checks are on", Real, float,
                   double) {
  Workbench<Real> bench;
  using B = Cpu<Real>;
  const auto x = bench.matrix(3, 4, 1);
  bench.ctx.set_position({.step = 6});
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity()}) {
    x(2, 3) = static_cast<Real>(bad);
    bench.ctx.set_checking(Context<B>::Checking::off);
    CHECK_NOTHROW(check_finite(bench.ctx, In<B>(x), "model.layers.3", "mlp"));
    bench.ctx.set_checking(Context<B>::Checking::on);
    CHECK_THROWS_WITH_AS(check_finite(bench.ctx, In<B>(x), "model.layers.3", "mlp"),
                         doctest::Contains("step 7: a value that is not finite left model.layers.3.mlp;"), Error);
    CHECK_THROWS_WITH_AS(check_finite(bench.ctx, In<B>(x), "model.norm", ""), doctest::Contains("left model.norm;"),
                         Error);
  }
  x(2, 3) = 0;
  CHECK_NOTHROW(check_finite(bench.ctx, In<B>(x), "model.norm", ""));
}

}  // namespace finite_test
