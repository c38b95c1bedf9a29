// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/activation.hpp"

#include <doctest/doctest.h>

#include "support/workbench.hpp"

namespace activation_test {

using namespace temper;

TEST_CASE("swiglu: equals silu(gate) * up, in place of the gate too") {
  Workbench<float> bench(2);
  const auto gate = bench.matrix(37, 1001, 1), up = bench.matrix(37, 1001, 2), y = bench.unset(37, 1001);
  for (Index i = 0; i < gate.size(); ++i) gate.data[i] *= 20;
  swiglu(bench.ctx, y, gate, up);
  for (Index i = 0; i < y.size(); ++i) {
    const double g = static_cast<double>(gate.data[i]),
                 truth = g / (1 + std::exp(-g)) * static_cast<double>(up.data[i]);
    REQUIRE(std::abs(static_cast<double>(y.data[i]) - truth) <= 5e-7 * std::abs(truth) + 1e-12);
  }
  swiglu(bench.ctx, gate, gate, up);
  CHECK(same_bits(gate, y));
}

TEST_CASE("swiglu: gradients match central differences") {
  Workbench<double> bench;
  const auto gate = bench.matrix(3, 17, 1), up = bench.matrix(3, 17, 2), dy = bench.matrix(3, 17, 3);
  const auto y = bench.unset(3, 17), dgate = bench.unset(3, 17), dup = bench.unset(3, 17);
  const auto loss = [&] {
    swiglu(bench.ctx, y, gate, up);
    return dot(y, dy);
  };
  swiglu_backward(bench.ctx, dgate, dup, dy, gate, up);
  CHECK(gradient_error(gate, dgate, loss) < 1e-8);
  CHECK(gradient_error(up, dup, loss) < 1e-8);
}

TEST_CASE("swiglu: the bits of an element depend on neither place nor threads") {
  Workbench<float> one(1), three(3);
  const auto gate = one.vector(40000, 1), up = one.vector(40000, 2), dy = one.vector(40000, 3);
  const auto all = one.unset(1, 40000), dgate = one.unset(1, 40000), dup = one.unset(1, 40000);
  const auto row = [](auto v, Index begin, Index end) { return reshape(v.slice(begin, end), 1, end - begin); };
  swiglu(one.ctx, all, row(gate, 0, 40000), row(up, 0, 40000));
  swiglu_backward(one.ctx, dgate, dup, row(dy, 0, 40000), row(gate, 0, 40000), row(up, 0, 40000));
  for (const Index begin : {0, 1, 7, 20001})
    for (const Index size : {1, 5, 16, 19999}) {
      const auto y = three.unset(1, size), g = three.unset(1, size), u = three.unset(1, size);
      const Index end = begin + size;
      swiglu(three.ctx, y, row(gate, begin, end), row(up, begin, end));
      swiglu_backward(three.ctx, g, u, row(dy, begin, end), row(gate, begin, end), row(up, begin, end));
      CHECK(same_bits(y, row(flat(all), begin, end)));
      CHECK(same_bits(g, row(flat(dgate), begin, end)));
      CHECK(same_bits(u, row(flat(dup), begin, end)));
    }
}

TEST_CASE("rotary: rotates the halves of each head by its position's angles, and back") {
  Workbench<float> bench(2);
  constexpr Index rows = 30, heads = 3, width = 14, half = 7;
  const auto cosines = bench.unset(50 * half), sines = bench.unset(50 * half);
  for (Index i = 0; i < cosines.size(); ++i)
    cosines(i) = std::cos(static_cast<float>(i)), sines(i) = std::sin(static_cast<float>(i));
  std::vector<std::int32_t> positions;
  for (int t = 0; t < rows; ++t) positions.push_back((t * 7) % 50);
  const auto x = bench.matrix(rows, heads * width, 1), before = bench.clone(x);
  rotary(bench.ctx, x, list_of(positions, 0.0f), cosines, sines, heads, Rotation::forward);
  for (Index t = 0; t < rows; ++t)
    for (Index h = 0; h < heads; ++h)
      for (Index i = 0; i < half; ++i) {
        const double angle = static_cast<double>(positions[static_cast<std::size_t>(t)] * half + i);
        const double a = static_cast<double>(before(t, h * width + i)),
                     b = static_cast<double>(before(t, h * width + half + i));
        REQUIRE(std::abs(static_cast<double>(x(t, h * width + i)) - (a * std::cos(angle) - b * std::sin(angle))) <
                1e-6);
        REQUIRE(std::abs(static_cast<double>(x(t, h * width + half + i)) -
                         (b * std::cos(angle) + a * std::sin(angle))) < 1e-6);
      }
  rotary(bench.ctx, x, list_of(positions, 0.0f), cosines, sines, heads, Rotation::backward);
  CHECK(largest_difference(x, before) < 1e-6);
  positions[3] = 50;
  CHECK_THROWS_AS(rotary(bench.ctx, x, list_of(positions, 0.0f), cosines, sines, heads, Rotation::forward), Error);
  CHECK_THROWS_AS(rotary(bench.ctx, x, list_of(positions, 0.0f), cosines, sines, 2, Rotation::forward), Error);
}

TEST_CASE("add, copy, add_row, scale_columns: element by element") {
  Workbench<float> bench(2);
  const auto x = bench.matrix(9, 2001, 1), y = bench.matrix(9, 2001, 2), before = bench.clone(y);
  const auto s = bench.vector(2001, 3);
  add(bench.ctx, onto(y), x);
  for (Index i = 0; i < x.size(); ++i) REQUIRE(y.data[i] == before.data[i] + x.data[i]);
  add(bench.ctx, into(y), x);
  CHECK(same_bits(x, y));
  copy(bench.ctx, y, before);
  CHECK(same_bits(y, before));
  add_row(bench.ctx, y, s);
  for (Index i = 0; i < x.size(); ++i) REQUIRE(y.data[i] == before.data[i] + s(i % 2001));
  scale_columns(bench.ctx, into(y), x, s);
  for (Index i = 0; i < x.size(); ++i) REQUIRE(y.data[i] == x.data[i] * s(i % 2001));
  scale_columns(bench.ctx, onto(y), x, s);
  for (Index i = 0; i < x.size(); ++i) REQUIRE(y.data[i] == doctest::Approx(2 * x.data[i] * s(i % 2001)));
}

TEST_CASE("sum_rows, sum_of_products: one chain a column, so halves continue each other, for any threads") {
  Workbench<float> bench(1), other(3);
  const auto a = bench.matrix(61, 150, 1), b = bench.matrix(61, 150, 2);
  const auto sums = bench.unset(150), products = bench.unset(150), halves = bench.unset(150);
  sum_rows(bench.ctx, into(sums), a);
  sum_of_products(bench.ctx, into(products), a, b);
  for (Index j = 0; j < 150; ++j) {
    float sum = 0;
    double product = 0;
    for (Index t = 0; t < 61; ++t)
      sum += a(t, j), product += static_cast<double>(a(t, j)) * static_cast<double>(b(t, j));
    CHECK(sums(j) == sum);
    CHECK(std::abs(product - static_cast<double>(products(j))) < 1e-5);
  }
  sum_rows(other.ctx, into(halves), a.slice(0, 17));
  sum_rows(other.ctx, onto(halves), a.slice(17, 61));
  CHECK(same_bits(halves, sums));
  sum_of_products(other.ctx, into(halves), a.slice(0, 17), b.slice(0, 17));
  sum_of_products(other.ctx, onto(halves), a.slice(17, 61), b.slice(17, 61));
  CHECK(same_bits(halves, products));
}

TEST_CASE("dropout: zeros the asked share, keeps the mean, and does not know how rows are split") {
  Workbench<float> bench(2);
  const Random random{1, random_site("somewhere"), 4};
  const auto x = bench.matrix(100, 333, 1), y = bench.unset(100, 333);
  for (Index i = 0; i < x.size(); ++i) x.data[i] = 1;
  dropout(bench.ctx, y, x, 0.25, random, 40);
  Index zeros = 0;
  for (Index i = 0; i < y.size(); ++i) {
    const bool kept = random.uniform(static_cast<std::uint64_t>(40 * 333 + i)) >= 0.25;
    REQUIRE(y.data[i] == (kept ? static_cast<float>(1 / 0.75) : 0.0f));
    zeros += kept ? 0 : 1;
  }
  CHECK(std::abs(static_cast<double>(zeros) / static_cast<double>(y.size()) - 0.25) < 0.01);
  const auto rest = bench.unset(63, 333);
  dropout(bench.ctx, rest, x.slice(37, 100), 0.25, random, 77);
  CHECK(same_bits(rest, y.slice(37, 100)));
  dropout(bench.ctx, x, x, 0.25, random, 40);
  CHECK(same_bits(x, y));
  dropout(bench.ctx, y, x, 0, random, 0);
  CHECK(same_bits(x, y));
  CHECK_THROWS_AS(dropout(bench.ctx, y, x, 1.0, random, 0), Error);
}

TEST_CASE("activation: planning counts the operations of running and touches nothing") {
  const auto step = [](auto& ctx, auto x, auto s) {
    add(ctx, onto(x), x), copy(ctx, x, x), add_row(ctx, x, s), sum_rows(ctx, into(s), x);
    swiglu(ctx, x, x, x), scale_columns(ctx, onto(x), x, s), sum_of_products(ctx, onto(s), x, x);
    dropout(ctx, x, x, 0.5, ctx.random(1), 0);
    return ctx.operations();
  };
  Workbench<float> plan(1, Execution::planning), run;
  const auto planned = step(plan.ctx, keep<float>(plan.ctx, 4, 8), keep<float>(plan.ctx, 8));
  const auto done = step(run.ctx, run.matrix(4, 8, 1), run.vector(8, 2));
  REQUIRE(planned.size() == done.size());
  for (std::size_t i = 0; i < planned.size(); ++i) CHECK(planned[i].cost.bytes == done[i].cost.bytes);
}

TEST_CASE("activation: shapes that do not fit are refused") {
  Workbench<float> bench;
  const auto x = bench.matrix(4, 8, 1), y = bench.matrix(8, 4, 1);
  const auto s = bench.vector(7, 1);
  CHECK_THROWS_WITH_AS(add(bench.ctx, onto(y), x), "temper: add: x is [4, 8] but y is [8, 4]; expected one shape",
                       Error);
  CHECK_THROWS_AS(copy(bench.ctx, y, x), Error);
  CHECK_THROWS_AS(swiglu(bench.ctx, x, x, y), Error);
  CHECK_THROWS_AS(swiglu_backward(bench.ctx, x, x, x, x, y), Error);
  CHECK_THROWS_AS(add_row(bench.ctx, x, s), Error);
  CHECK_THROWS_AS(sum_rows(bench.ctx, into(s), x), Error);
  CHECK_THROWS_AS(scale_columns(bench.ctx, into(x), x, s), Error);
  CHECK_THROWS_AS(sum_of_products(bench.ctx, into(s), x, x), Error);
}

}  // namespace activation_test
