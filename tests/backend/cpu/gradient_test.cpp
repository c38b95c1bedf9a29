// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/gradient.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "temper/backend/cpu/update.hpp"
#include "temper/core/memory.hpp"

namespace gradient_test {

using namespace temper;

// A gradient of [rows, cols] in both forms.
template <class Real>
struct TwoForms {
  using B = Cpu<Real>;
  static constexpr Index room = Index{1} << 17;
  Threads stream;
  Memory<B> memory{Execution::running};
  Arena arena{memory.template allocate<std::byte, 1>(Holder::scratch, {room}).data, std::size_t{room}};
  Context<B> ctx{stream, arena, 5, Execution::running};
  View<B, Real, 2> wide;
  Gradient<B> narrow;

  TwoForms(Index rows, Index cols, int threads = 1) : stream(threads) {
    wide = memory.template allocate<Real, 2>(Holder::gradients, {rows, cols});
    narrow = {memory.template allocate<bf16, 2>(Holder::gradients, {rows, cols}), random_site("gradient")};
    zero(ctx, flat(wide)), zero(ctx, flat(narrow.narrow));
  }
  // Numbers from their place.
  View<B, const Real, 2> numbers(Index rows, Index cols, std::uint32_t site) {
    const auto view = memory.template allocate<Real, 2>(Holder::scratch, {rows, cols});
    for (Index i = 0; i < view.size(); ++i)
      view.data[i] = static_cast<Real>(Random{3, site, 0}.normal(static_cast<std::uint64_t>(i)));
    return view;
  }
  Index apart() const {  // elements that are not the wide ones, rounded
    const Random random = ctx.rounding(narrow.site);
    Index wrong = 0;
    for (Index i = 0; i < wide.size(); ++i)
      wrong += narrow.narrow.data[i] !=
               to_bf16(static_cast<float>(wide.data[i]), random.bits16(static_cast<std::uint64_t>(i)));
    return wrong;
  }
};

TEST_CASE_TEMPLATE("gradient: what is added to zero is the wide sum, rounded once, whatever the threads", Real, float,
                   double) {
  for (const int threads : {1, 3}) {
    TwoForms<Real> of(37, 29, threads);
    of.ctx.set_position({.step = 4, .first_token = 17});
    const auto a = of.numbers(11, 37, 1), b = of.numbers(11, 29, 2);
    matmul_outer(of.ctx, of.narrow, a, b, Real(0.5));
    matmul_outer(of.ctx, onto(of.wide), a, b, Real(0.5));
    CHECK(of.apart() == 0);
    CHECK(of.arena.scratched() == 0);
  }
}

TEST_CASE("gradient: a wide one is added to as ever") {
  TwoForms<float> of(5, 7), same(5, 7);
  const auto a = of.numbers(3, 5, 1), b = of.numbers(3, 7, 2);
  matmul_outer(of.ctx, Gradient<Cpu<float>>(of.wide), a, b);
  matmul_outer(same.ctx, onto(same.wide), a, b);
  for (Index i = 0; i < of.wide.size(); ++i) CHECK(of.wide.data[i] == same.wide.data[i]);
  CHECK(Gradient<Cpu<float>>{}.empty());
}

TEST_CASE("gradient: a matrix of several panels is that of one, and one panel is all that is wide") {
  static_assert(panel_rows(65536) == 64 && panel_rows(Index{1} << 30) == 1 && panel_rows(4096) == 1024);
  TwoForms<float> of(37, 29, 2);
  const auto a = of.numbers(11, 37, 1), b = of.numbers(11, 29, 2);
  matmul_outer(of.ctx, of.narrow, a, b, 1, 16);
  CHECK(of.arena.peak() == Arena::rounded(sizeof(float) * 16 * 29));
  matmul_outer(of.ctx, onto(of.wide), a, b);
  CHECK(of.apart() == 0);
}

// 2^-12 is an eighth of the distance of bf16's numbers below 1/4: from 1/16 on, to the nearest, it would be lost.
TEST_CASE("gradient: many small addends are added in the mean") {
  constexpr Index side = 64, steps = 1024;
  const float addend = 0x1p-12f;
  CHECK(to_bf16(0x1p-4f + addend) == to_bf16(0x1p-4f));
  TwoForms<float> of(side, side);
  const std::vector<float> ones(side, 1.0f), small(side, addend);
  for (Index t = 0; t < steps; ++t) {
    of.ctx.set_position({.first_token = t});
    matmul_outer(of.ctx, of.narrow, {ones.data(), {1, side}}, {small.data(), {1, side}});
  }
  double mean = 0, squares = 0;
  for (Index i = 0; i < side * side; ++i) {
    const double error = double{to_float(of.narrow.narrow.data[i])} - 0.25;
    mean += error / (side * side), squares += error * error / (side * side);
  }
  // A rounding of x = a + p gap, a below x, deviates by sqrt(p (1 - p)) gap, the square of which is at most the
  // addend's size times the gap; gaps below 1/2 are at most 2^-9.
  const double variance = static_cast<double>(steps) * 0x1p-12 * 0x1p-9;
  CHECK(std::abs(mean) < 5 * std::sqrt(variance) / side);
  CHECK(squares < variance * (1 + 5 * std::sqrt(2.0) / side));
}

TEST_CASE("gradient: each micro-batch, update and addend rounds by bits of its own, and again by the same") {
  const auto bits = [](Step update, Index first_token, Index addend) {
    TwoForms<float> of(16, 16);
    of.ctx.set_position({.step = 1, .first_token = first_token, .update = update});
    matmul_outer(of.ctx, of.narrow.addend(addend), of.numbers(2, 16, 1), of.numbers(2, 16, 2));
    return std::vector<bf16>(of.narrow.narrow.data, of.narrow.narrow.data + 256);
  };
  CHECK(bits(1, 0, 0) == bits(1, 0, 0));
  CHECK(bits(1, 0, 0) != bits(2, 0, 0));
  CHECK(bits(1, 0, 0) != bits(1, 1, 0));
  CHECK(bits(1, 0, 0) != bits(1, 0, 1));
}

TEST_CASE("gradient: rows of a table are rounded once, after the last of equal tokens") {
  const std::vector<TokenId> tokens = {3, 0, 3, 8, 0, 3};
  constexpr Index rows = 9;
  // 70: the next element's stretch of random bits begins anywhere; 256: with a row.
  for (const auto& shape : {std::pair<Index, int>{70, 1}, {70, 3}, {256, 1}, {256, 3}}) {
    const Index cols = shape.first;
    TwoForms<float> of(rows, cols, shape.second);
    const auto a = of.numbers(2, rows, 1), b = of.numbers(2, cols, 2), dy = of.numbers(6, cols, 3);
    of.ctx.set_position({});
    matmul_outer(of.ctx, of.narrow, a, b);
    const std::vector<bf16> before(of.narrow.narrow.data, of.narrow.narrow.data + rows * cols);
    widen(of.ctx, flat(of.wide), flat(of.narrow.narrow));
    of.ctx.set_position({.first_token = 6});
    scatter_add(of.ctx, of.narrow, dy, {tokens.data(), {6}});
    scatter_add(of.ctx, of.wide, dy, {tokens.data(), {6}});
    CHECK(of.apart() == 0);
    for (Index i = 0; i < rows * cols; ++i)
      if (i / cols != 0 && i / cols != 3 && i / cols != 8)
        CHECK(of.narrow.narrow.data[i] == before[static_cast<std::size_t>(i)]);
    CHECK(of.arena.scratched() == 0);
  }
}

TEST_CASE("gradient: the norm reads bf16 as it is held") {
  TwoForms<float> of(90, 70);
  matmul_outer(of.ctx, of.narrow, of.numbers(2, 90, 1), of.numbers(2, 70, 2));
  widen(of.ctx, flat(of.wide), flat(of.narrow.narrow));
  CHECK(sum_of_squares(of.ctx, flat(of.narrow.narrow)) == sum_of_squares(of.ctx, flat(of.wide)));
}

TEST_CASE("gradient: shapes must agree, and numbers must name rows") {
  TwoForms<float> of(5, 7);
  const auto a = of.numbers(3, 5, 1), b = of.numbers(3, 7, 2);
  const std::vector<TokenId> tokens = {0, 5, 1};
  CHECK_THROWS_AS(matmul_outer(of.ctx, of.narrow, b, a), Error);
  CHECK_THROWS_AS(scatter_add(of.ctx, of.narrow, a, {tokens.data(), {3}}), Error);
  CHECK_THROWS_AS(scatter_add(of.ctx, of.narrow, b, {tokens.data(), {3}}), Error);
}

}  // namespace gradient_test
