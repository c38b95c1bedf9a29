// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/norm.hpp"

#include <doctest/doctest.h>

#include "support/workbench.hpp"

namespace norm_test {

using namespace temper;

constexpr double eps = 1e-6;

template <class Real>
struct Norm {
  Workbench<Real> bench;
  View<Cpu<Real>, Real, 2> x, dy, y, dx;
  View<Cpu<Real>, Real, 1> weight, rstd, dweight;

  Norm(Index rows, Index width, int threads = 1)
      : bench(threads),
        x(bench.matrix(rows, width, 1)),
        dy(bench.matrix(rows, width, 2)),
        y(bench.unset(rows, width)),
        dx(bench.unset(rows, width)),
        weight(bench.vector(width, 3)),
        rstd(bench.unset(rows)),
        dweight(bench.unset(width)) {}
  void forward() { rms_norm(bench.ctx, y, rstd, x, weight, static_cast<Real>(eps)); }
  void backward() {
    rms_norm_backward(bench.ctx, into(dx), dy, x, weight, rstd);
    rms_norm_weight_backward(bench.ctx, into(dweight), dy, x, rstd);
  }
};

template <class Real>
double error_of_forward(const Norm<Real>& n) {
  double largest = 0;
  for (Index t = 0; t < n.x.rows(); ++t) {
    double squares = 0;
    for (Index j = 0; j < n.x.cols(); ++j) squares += static_cast<double>(n.x(t, j)) * static_cast<double>(n.x(t, j));
    const double rstd = 1 / std::sqrt(squares / static_cast<double>(n.x.cols()) + eps);
    for (Index j = 0; j < n.x.cols(); ++j) {
      const double y = static_cast<double>(n.x(t, j)) * rstd * static_cast<double>(n.weight(j));
      const double error = std::abs(y - static_cast<double>(n.y(t, j)));
      largest = error <= largest ? largest : std::isfinite(error) ? error : 1e9;
    }
  }
  return largest;
}

TEST_CASE("rms_norm: equals its formula") {
  for (const Index width : {1, 15, 16, 17, 896, 1000}) {
    Norm<double> exact(5, width);
    exact.forward();
    CHECK(error_of_forward(exact) < 1e-13);
    Norm<float> rounded(5, width);
    rounded.forward();
    CHECK(error_of_forward(rounded) < 5e-7);
  }
}

TEST_CASE("rms_norm: gradients match central differences") {
  Norm<double> n(3, 21);
  n.forward(), n.backward();
  const auto loss = [&] {
    n.forward();
    return dot(n.y, n.dy);
  };
  CHECK(gradient_error(n.x, n.dx, loss) < 1e-8);
  CHECK(gradient_error(n.weight, n.dweight, loss) < 1e-8);
}

TEST_CASE("rms_norm: gradients in float are those in double, rounded, and dx can be added to") {
  Norm<double> exact(40, 130);
  exact.forward(), exact.backward();
  Norm<float> rounded(40, 130);
  rounded.forward(), rounded.backward();
  CHECK(largest_difference(exact.dx, rounded.dx) < 1e-6);
  CHECK(largest_difference(exact.dweight, rounded.dweight) < 1e-5);
  const auto twice = rounded.bench.clone(rounded.dx);
  rms_norm_backward(rounded.bench.ctx, onto(twice), rounded.dy, rounded.x, rounded.weight, rounded.rstd);
  for (Index i = 0; i < twice.size(); ++i)
    REQUIRE(twice.data[i] == doctest::Approx(2 * rounded.dx.data[i]).epsilon(1e-5));
}

TEST_CASE("rms_norm: a row's bits depend on the row alone, not on place, neighbours or threads") {
  Norm<float> many(70, 899, 3);
  many.forward(), many.backward();
  for (const Index row : {0, 1, 33, 69}) {
    Norm<float> one(1, 899);
    std::copy_n(&many.x(row, 0), 899, one.x.data);
    std::copy_n(&many.dy(row, 0), 899, one.dy.data);
    one.forward(), one.backward();
    CHECK(same_bits(one.y, many.y.slice(row, row + 1)));
    CHECK(same_bits(one.dx, many.dx.slice(row, row + 1)));
  }
  Norm<float> alone(70, 899, 1);
  alone.forward(), alone.backward();
  CHECK(same_bits(alone.dweight, many.dweight));
}

TEST_CASE("rms_norm: the weight's gradient over two halves is that over the whole, bit for bit") {
  Norm<float> n(50, 131);
  n.forward(), n.backward();
  const auto halves = n.bench.unset(131);
  rms_norm_weight_backward(n.bench.ctx, into(halves), n.dy.slice(0, 23), n.x.slice(0, 23), n.rstd.slice(0, 23));
  rms_norm_weight_backward(n.bench.ctx, onto(halves), n.dy.slice(23, 50), n.x.slice(23, 50), n.rstd.slice(23, 50));
  CHECK(same_bits(halves, n.dweight));
}

TEST_CASE("rms_norm: shapes that do not fit are refused, also while planning") {
  Workbench<float> plan(1, Execution::planning);
  const auto x = keep<float>(plan.ctx, 3, 8);
  const auto rstd = keep<float>(plan.ctx, 3), weight = keep<float>(plan.ctx, 7);
  CHECK_THROWS_WITH_AS(rms_norm(plan.ctx, x, rstd, x, weight, 1e-6f),
                       "temper: rms_norm: weight has 7 elements but x has 8 columns; expected equal", Error);
  CHECK_THROWS_AS(rms_norm_backward(plan.ctx, into(x), x, x, weight, rstd), Error);
  CHECK_THROWS_AS(rms_norm_weight_backward(plan.ctx, into(weight), x, x, rstd), Error);
  CHECK(plan.ctx.operations().empty());
}

}  // namespace norm_test
