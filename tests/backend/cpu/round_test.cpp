// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/round.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "temper/core/memory.hpp"

namespace round_test {

using namespace temper;

template <class Real>
std::vector<std::uint16_t> rounded(const std::vector<Real>& values, const Random& random, int threads = 1) {
  Threads stream(threads);
  Arena arena = Arena::imaginary();
  Context<Cpu<Real>> ctx(stream, arena, 1, Execution::running);
  std::vector<bf16> to(values.size());
  const auto size = std::ssize(values);
  round_at_random(ctx, View<Cpu<Real>, bf16, 1>(to.data(), {size}),
                  View<Cpu<Real>, const Real, 1>(values.data(), {size}), random);
  std::vector<std::uint16_t> bits;
  for (const bf16 x : to) bits.push_back(x.bits);
  return bits;
}

TEST_CASE_TEMPLATE("round: the mean of many roundings is the number, within its deviation", Real, float, double) {
  constexpr std::size_t count = 100'003;
  for (const double x : {1.001, -0.7003, 3.14159e-5}) {
    CAPTURE(x);
    const std::vector<Real> values(count, static_cast<Real>(x));
    double sum = 0;
    for (const std::uint16_t bits : rounded(values, {7, 8, 9})) sum += double{to_float(bf16{bits})};
    // A rounding is one of two neighbours, 'gap' apart: its deviation is at most half of that.
    const double gap = std::exp2(std::floor(std::log2(std::abs(x))) - 7);
    CHECK(std::abs(sum / count - x) < 5 * gap / 2 / std::sqrt(static_cast<double>(count)));
  }
}

TEST_CASE("round: a number's bits depend on the stream and its place, and not on the threads") {
  std::vector<float> values(50'005);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(Random{1}.normal(i));
  const Random random{7, 8, 9};
  const auto one = rounded(values, random);
  CHECK(one == rounded(values, random, 2));
  CHECK(one == rounded(values, random, 3));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < values.size(); ++i) wrong += one[i] != to_bf16(values[i], random.bits16(i)).bits;
  CHECK(wrong == 0);
  for (const Random& other : {Random{6, 8, 9}, Random{7, 7, 9}, Random{7, 8, 8}}) CHECK(one != rounded(values, other));
}

TEST_CASE("round: what is widened and rounded again is what it was") {
  Threads stream(2);
  Arena arena = Arena::imaginary();
  Context<Cpu<float>> ctx(stream, arena, 1, Execution::running);
  std::vector<bf16> all(0x7f80);  // every number that is not negative
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = {static_cast<std::uint16_t>(i)};
  std::vector<float> wide(all.size());
  const View<Cpu<float>, bf16, 1> narrow(all.data(), {std::ssize(all)});
  widen(ctx, View<Cpu<float>, float, 1>(wide.data(), {std::ssize(all)}), narrow);
  std::size_t wrong = 0;
  const auto again = rounded(wide, {1, 2, 3});
  for (std::size_t i = 0; i < all.size(); ++i) wrong += again[i] != i || wide[i] != to_float(all[i]);
  CHECK(wrong == 0);
}

TEST_CASE("round: shapes must agree") {
  Threads stream(1);
  Arena arena = Arena::imaginary();
  Context<Cpu<float>> ctx(stream, arena, 1, Execution::running);
  float wide[3] = {};
  bf16 narrow[2] = {};
  const View<Cpu<float>, float, 1> three(wide, {3});
  const View<Cpu<float>, bf16, 1> two(narrow, {2});
  CHECK_THROWS_AS(widen(ctx, three, two), Error);
  CHECK_THROWS_AS(round_at_random(ctx, two, three, Random{}), Error);
}

}  // namespace round_test
