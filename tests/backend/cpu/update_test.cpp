// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/update.hpp"

#include <doctest/doctest.h>

#include "support/workbench.hpp"

namespace update_test {

using namespace temper;

constexpr Index count = 20007;

AdamWStep adamw_step(int t) {
  return {.learning_rate = 0.01,
          .beta1 = 0.9,
          .beta2 = 0.95,
          .epsilon = 1e-8,
          .weight_decay = 0.1,
          .correction1 = 1 - std::pow(0.9, t),
          .correction2 = 1 - std::pow(0.95, t)};
}

TEST_CASE("adamw: five steps are those of the textbook, in double exactly and in float nearly") {
  Workbench<double> exact(2);
  Workbench<float> rounded(2);
  const auto p = exact.vector(count, 1), m = exact.unset(count), v = exact.unset(count);
  const auto pf = rounded.vector(count, 1), mf = rounded.unset(count), vf = rounded.unset(count);
  std::vector<double> value(p.data, p.data + count), first(count), second(count);
  std::fill_n(m.data, count, 0.0), std::fill_n(v.data, count, 0.0);
  std::fill_n(mf.data, count, 0.0f), std::fill_n(vf.data, count, 0.0f);
  for (int t = 1; t <= 5; ++t) {
    const auto g = exact.vector(count, static_cast<std::uint32_t>(10 + t));
    const auto gf = rounded.vector(count, static_cast<std::uint32_t>(10 + t));
    adamw(exact.ctx, p, g, m, v, adamw_step(t), 0.5);
    adamw(rounded.ctx, pf, gf, mf, vf, adamw_step(t), 0.5);
    for (std::size_t i = 0; i < value.size(); ++i) {
      const double gradient = 0.5 * g.data[i];
      value[i] *= 1 - 0.01 * 0.1;
      first[i] = 0.9 * first[i] + (1 - 0.9) * gradient;
      second[i] = 0.95 * second[i] + (1 - 0.95) * gradient * gradient;
      const double mean = first[i] / (1 - std::pow(0.9, t)), square = second[i] / (1 - std::pow(0.95, t));
      value[i] -= 0.01 * mean / (std::sqrt(square) + 1e-8);
    }
  }
  const View<Cpu<double>, double, 1> expected(value.data(), {count});
  CHECK(largest_difference(p, expected) < 1e-13);
  CHECK(largest_difference(pf, expected) < 1e-6);
}

TEST_CASE("sgd: plain, momentum and Nesterov, with coupled decay, are torch's") {
  for (const double momentum : {0.0, 0.9})
    for (const Momentum kind : {Momentum::classical, Momentum::nesterov}) {
      if (momentum == 0 && kind == Momentum::nesterov) continue;
      Workbench<double> bench(2);
      const auto p = bench.vector(count, 1),
                 buffer = momentum == 0 ? View<Cpu<double>, double, 1>{} : bench.unset(count);
      std::vector<double> value(p.data, p.data + count), moving(count);
      for (int t = 0; t < 4; ++t) {
        const auto g = bench.vector(count, static_cast<std::uint32_t>(10 + t));
        sgd(bench.ctx, p, g, buffer, {0.1, momentum, 0.01, kind, t == 0}, 2.0);
        for (std::size_t i = 0; i < value.size(); ++i) {
          double gradient = 2 * g.data[i] + 0.01 * value[i];
          if (momentum != 0) {
            moving[i] = t == 0 ? gradient : momentum * moving[i] + gradient;
            gradient = kind == Momentum::nesterov ? gradient + momentum * moving[i] : moving[i];
          }
          value[i] -= 0.1 * gradient;
        }
      }
      CHECK(largest_difference(p, View<Cpu<double>, double, 1>(value.data(), {count})) < 1e-13);
    }
}

TEST_CASE("adamw: bits depend on neither threads nor place") {
  Workbench<float> one(1), three(3);
  const auto p = one.vector(count, 1), m = one.vector(count, 2), v = one.vector(count, 3), g = one.vector(count, 4);
  for (Index i = 0; i < count; ++i) v(i) = std::abs(v(i));
  const auto p2 = three.clone(p), m2 = three.clone(m), v2 = three.clone(v);
  adamw(one.ctx, p, g, m, v, adamw_step(3), 1);
  for (const auto& [begin, end] : {std::pair<Index, Index>{0, 5}, {5, 12000}, {12000, count}})
    adamw(three.ctx, p2.slice(begin, end), g.slice(begin, end), m2.slice(begin, end), v2.slice(begin, end),
          adamw_step(3), 1);
  CHECK(same_bits(p, p2));
  CHECK(same_bits(m, m2));
  CHECK(same_bits(v, v2));
}

TEST_CASE("averaged_gradient: without momentum the gradient, with it the mean, ahead of it for Nesterov") {
  Workbench<double> bench;
  const auto g = bench.vector(100, 1), mean = bench.vector(100, 2), before = bench.clone(mean), y = bench.unset(100);
  averaged_gradient(bench.ctx, y, g, {}, 0, Momentum::classical, 2);
  for (Index i = 0; i < 100; ++i) CHECK(y(i) == 2 * g(i));
  averaged_gradient(bench.ctx, y, g, mean, 0.75, Momentum::classical, 2);
  for (Index i = 0; i < 100; ++i) CHECK(y(i) == doctest::Approx(0.75 * before(i) + 0.25 * 2 * g(i)).epsilon(1e-12));
  averaged_gradient(bench.ctx, y, g, mean, 0.75, Momentum::nesterov, 2);
  for (Index i = 0; i < 100; ++i) CHECK(y(i) == doctest::Approx(0.75 * mean(i) + 0.25 * 2 * g(i)).epsilon(1e-12));
}

TEST_CASE("blend and combine: sums of multiples, and of the identity") {
  Workbench<double> bench;
  const auto x = bench.matrix(9, 9, 1), y = bench.matrix(9, 9, 2), before = bench.clone(y);
  blend(bench.ctx, flat(y), 0.5, flat(x), -2);
  for (Index i = 0; i < 81; ++i) CHECK(y.data[i] == doctest::Approx(0.5 * before.data[i] - 2 * x.data[i]));
  const auto again = bench.clone(y);
  combine(bench.ctx, y, x, {3, 4, 5});
  for (Index i = 0; i < 9; ++i)
    for (Index j = 0; j < 9; ++j) CHECK(y(i, j) == doctest::Approx((i == j ? 3 : 0) + 4 * x(i, j) + 5 * again(i, j)));
}

TEST_CASE("sum_of_squares: accurate, and the same bits for any threads") {
  Workbench<float> one(1), three(3);
  const auto x = one.vector(100'003, 1);
  double sum = 0;
  for (Index i = 0; i < x.size(); ++i) sum += static_cast<double>(x(i)) * static_cast<double>(x(i));
  const double here = sum_of_squares(one.ctx, x), there = sum_of_squares(three.ctx, x);
  CHECK(here == there);
  CHECK(here == doctest::Approx(sum).epsilon(1e-11));
  CHECK(sum_of_squares(one.ctx, x.slice(0, 0)) == 0);
}

TEST_CASE("is_finite: sees one infinity or NaN anywhere; zero clears") {
  Workbench<float> bench(2);
  const auto x = bench.vector(40'000, 1);
  CHECK(is_finite(bench.ctx, x));
  for (const Index at : {0, 17, 16384, 39'999})
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
      const float before = x(at);
      x(at) = bad;
      CHECK(!is_finite(bench.ctx, x));
      x(at) = before;
    }
  zero(bench.ctx, x);
  for (Index i = 0; i < x.size(); ++i) REQUIRE(x(i) == 0);
}

TEST_CASE("update: planning answers without memory") {
  Workbench<float> plan(1, Execution::planning);
  const auto x = keep<float>(plan.ctx, 1000);
  CHECK(sum_of_squares(plan.ctx, x) == 0);
  CHECK(is_finite(plan.ctx, x));
  zero(plan.ctx, x);
  adamw(plan.ctx, x, x, x, x, adamw_step(1), 1);
  sgd(plan.ctx, x, x, x, {0.1, 0.9, 0}, 1);
  lion(plan.ctx, x, x, x, {0.1, 0.9, 0.99, 0}, 1);
  averaged_gradient(plan.ctx, x, x, {}, 0, Momentum::classical, 1);
  blend(plan.ctx, x, 1, x, 1);
  const auto square = keep<float>(plan.ctx, 30, 30);
  combine(plan.ctx, square, square, {1, 2, 3});
  CHECK(plan.ctx.operations().size() == 9);
  CHECK_THROWS_AS(lion(plan.ctx, x, x, x.slice(0, 10), {0.1, 0.9, 0.99, 0}, 1), Error);
  CHECK_THROWS_AS(averaged_gradient(plan.ctx, x, x, {}, 0.9, Momentum::classical, 1), Error);
  CHECK_THROWS_AS(blend(plan.ctx, x, 1, x.slice(0, 10), 1), Error);
  CHECK_THROWS_AS(combine(plan.ctx, square.slice(0, 10), square, {1, 2, 3}), Error);
  CHECK_THROWS_AS(adamw(plan.ctx, x, x, x.slice(0, 10), x, adamw_step(1), 1), Error);
  CHECK_THROWS_AS(sgd(plan.ctx, x, x, {}, {0.1, 0.9, 0}, 1), Error);
}

}  // namespace update_test
