// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/linear.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace linear_test {

using namespace temper;

enum class Kind { plain, transposed, outer };
constexpr Kind kinds[] = {Kind::plain, Kind::transposed, Kind::outer};
constexpr Element elements[] = {Element::f32, Element::bf16, Element::f16, Element::f64};

// The operands of one product, y [rows, cols], sums of 'depth' terms. Weights are kept in every element, all of them
// widened from the same bf16 or f16 values.
struct Operands {
  Index rows, cols, depth;
  std::vector<float> a, w, y;
  std::vector<bf16> w_bf16;
  std::vector<f16> w_f16;
  std::vector<double> w_f64;
};

std::vector<float> numbers(Index count, std::uint32_t site) {
  const Random random{7, site, 0};
  std::vector<float> x(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(random.uniform(i) - 0.5);
  return x;
}

Operands operands(Index rows, Index cols, Index depth) {
  Operands o{rows, cols, depth, numbers(rows * depth, 1), numbers(cols * depth, 2), numbers(rows * cols, 3),
             {},   {},   {}};
  for (float& w : o.w) {
    o.w_bf16.push_back(to_bf16(w));
    w = to_float(o.w_bf16.back());
    o.w_f16.push_back(to_f16(w));
    o.w_f64.push_back(static_cast<double>(w));
  }
  return o;
}

template <class Real>
std::vector<Real> product(Kind kind, Operands o, bool add, Element element, int thread_count, double scale = 1) {
  using B = Cpu<Real>;
  static Threads pools[] = {Threads(1), Threads(2), Threads(3)};
  Arena arena = Arena::imaginary();
  Context<B> ctx(pools[thread_count - 1], arena, 0, Execution::running);
  std::vector<Real> a(o.a.begin(), o.a.end()), y(o.y.begin(), o.y.end()), b(o.w.begin(), o.w.end());
  if (!add) std::fill(y.begin(), y.end(), std::numeric_limits<Real>::quiet_NaN());
  const View<B, Real, 2> out(y.data(), {o.rows, o.cols});
  const Target<B, Real, 2> target = add ? onto(out) : into(out);
  const void* const data = element == Element::f32    ? static_cast<const void*>(o.w.data())
                           : element == Element::bf16 ? static_cast<const void*>(o.w_bf16.data())
                           : element == Element::f16  ? static_cast<const void*>(o.w_f16.data())
                                                      : static_cast<const void*>(o.w_f64.data());
  const auto factor = static_cast<Real>(scale);
  switch (kind) {
    case Kind::plain:
      matmul(ctx, target, View<B, Real, 2>(a.data(), {o.rows, o.depth}), {data, element, o.cols, o.depth}, factor);
      break;
    case Kind::transposed:
      matmul_transposed(ctx, target, View<B, Real, 2>(a.data(), {o.rows, o.depth}), {data, element, o.depth, o.cols},
                        factor);
      break;
    case Kind::outer:
      matmul_outer(ctx, target, View<B, Real, 2>(a.data(), {o.depth, o.rows}),
                   View<B, Real, 2>(b.data(), {o.depth, o.cols}), factor);
      break;
  }
  return y;
}

// The same sums, one element after the other, in double.
std::vector<double> naive(Kind kind, const Operands& o, bool add, double scale) {
  std::vector<double> y;
  for (Index m = 0; m < o.rows; ++m)
    for (Index n = 0; n < o.cols; ++n) {
      double sum = 0;
      for (Index k = 0; k < o.depth; ++k) {
        const Index i = kind == Kind::outer ? k * o.rows + m : m * o.depth + k;
        const Index j = kind == Kind::plain ? n * o.depth + k : k * o.cols + n;
        sum += static_cast<double>(o.a[static_cast<std::size_t>(i)]) *
               static_cast<double>(o.w[static_cast<std::size_t>(j)]);
      }
      y.push_back(sum * scale + (add ? static_cast<double>(o.y[static_cast<std::size_t>(m * o.cols + n)]) : 0.0));
    }
  return y;
}

template <class Real>
bool close(const std::vector<Real>& y, const std::vector<double>& expected, double tolerance) {
  if (y.size() != expected.size()) return false;
  for (std::size_t i = 0; i < y.size(); ++i)
    if (!(std::abs(static_cast<double>(y[i]) - expected[i]) <= tolerance)) return false;
  return true;
}

template <class Real>
bool same_bits(const std::vector<Real>& a, const std::vector<Real>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(Real)) == 0);
}

struct Shape {
  Index rows, cols, depth;
};
const Shape shapes[] = {{0, 5, 3},     {5, 0, 3},     {5, 3, 0},    {1, 1, 1},      {1, 7, 5},
                        {2, 16, 16},   {3, 17, 1},    {7, 33, 31},  {8, 32, 64},    {13, 47, 29},
                        {14, 48, 100}, {15, 31, 17},  {29, 64, 53}, {61, 97, 113},  {16, 130, 40},
                        {1, 300, 515}, {5, 67, 1030}, {300, 2, 19}, {240, 1100, 3}, {40, 16, 600}};

std::string describe(Kind kind, const Shape& s, bool add, Element element) {
  return fmt::format("kind {}, {} x {} x {}, {}, {}", static_cast<int>(kind), s.rows, s.cols, s.depth,
                     add ? "onto" : "into", name_of(element));
}

TEST_CASE("linear: products agree with a plain loop for all shapes, elements and targets") {
  for (const Shape& s : shapes) {
    const Operands o = operands(s.rows, s.cols, s.depth);
    for (const Kind kind : kinds)
      for (const bool add : {false, true}) {
        const double scale = add ? 0.75 : 1;
        const std::vector<double> expected = naive(kind, o, add, scale);
        for (const Element element : elements) {
          CAPTURE(describe(kind, s, add, element));
          const double terms = static_cast<double>(s.depth + 1);
          CHECK(close(product<float>(kind, o, add, element, 2, scale), expected, 1e-7 * terms));
          CHECK(close(product<double>(kind, o, add, element, 2, scale), expected, 1e-15 * terms));
        }
      }
  }
}

TEST_CASE("linear: float results are one chain of multiply-adds from the first term to the last") {
#if defined(__FMA__)
  const auto step = [](float a, float b, float sum) { return std::fma(a, b, sum); };
#else
  const auto step = [](float a, float b, float sum) {
    const volatile float term = a * b;
    return term + sum;
  };
#endif
  for (const Shape& s : {Shape{3, 37, 1100}, Shape{31, 50, 70}}) {
    const Operands o = operands(s.rows, s.cols, s.depth);
    for (const bool add : {false, true}) {
      std::vector<float> expected;
      const float scale = 0.3f;
      for (Index m = 0; m < s.rows; ++m)
        for (Index n = 0; n < s.cols; ++n) {
          float sum = add ? o.y[static_cast<std::size_t>(m * s.cols + n)] : 0.0f;
          for (Index k = 0; k < s.depth; ++k)
            sum = step(o.a[static_cast<std::size_t>(m * s.depth + k)] * scale,
                       o.w[static_cast<std::size_t>(n * s.depth + k)], sum);
          expected.push_back(sum);
        }
      CHECK(same_bits(product<float>(Kind::plain, o, add, Element::bf16, 2, static_cast<double>(scale)), expected));
    }
  }
}

TEST_CASE("linear: bits do not depend on the number of threads") {
  for (const Shape& s : {Shape{61, 97, 613}, Shape{1, 700, 130}, Shape{300, 16, 90}, Shape{150, 300, 40}}) {
    const Operands o = operands(s.rows, s.cols, s.depth);
    for (const Kind kind : kinds)
      for (const bool add : {false, true}) {
        CAPTURE(describe(kind, s, add, Element::f32));
        const std::vector<float> one = product<float>(kind, o, add, Element::f32, 1);
        const std::vector<double> one_double = product<double>(kind, o, add, Element::f32, 1);
        for (const int threads : {2, 3}) {
          CHECK(same_bits(product<float>(kind, o, add, Element::f32, threads), one));
          CHECK(same_bits(product<double>(kind, o, add, Element::f32, threads), one_double));
        }
      }
  }
}

TEST_CASE("linear: stored weights give the bits of the same weights widened before") {
  const Operands o = operands(37, 75, 530);
  for (const Kind kind : {Kind::plain, Kind::transposed}) {
    const std::vector<float> wide = product<float>(kind, o, false, Element::f32, 2);
    const std::vector<double> wide_double = product<double>(kind, o, false, Element::f32, 2);
    for (const Element element : {Element::bf16, Element::f16, Element::f64}) {
      CHECK(same_bits(product<float>(kind, o, false, element, 2), wide));
      CHECK(same_bits(product<double>(kind, o, false, element, 2), wide_double));
    }
  }
}

TEST_CASE("linear: a row alone has the bits that it has among others") {
  const Index rows = 67, cols = 83, depth = 540;
  const Operands all = operands(rows, cols, depth);
  for (const Kind kind : {Kind::plain, Kind::transposed}) {
    const std::vector<float> y = product<float>(kind, all, true, Element::bf16, 2);
    for (const Index first : {Index{0}, Index{13}, Index{66}})
      for (const Index count : {Index{1}, Index{2}, Index{5}, Index{9}, Index{30}}) {
        if (first + count > rows) continue;
        Operands some = all;
        some.rows = count;
        some.a.assign(all.a.begin() + first * depth, all.a.begin() + (first + count) * depth);
        some.y.assign(all.y.begin() + first * cols, all.y.begin() + (first + count) * cols);
        const std::vector<float> expected(y.begin() + first * cols, y.begin() + (first + count) * cols);
        CHECK(same_bits(product<float>(kind, some, true, Element::bf16, 1), expected));
      }
  }
}

TEST_CASE("linear: weight gradients of two halves of the tokens add up to the bits of all tokens") {
  const Index rows = 31, cols = 45, tokens = 1200;
  const Operands all = operands(rows, cols, tokens);
  for (const Index half : {Index{1}, Index{512}, Index{700}}) {
    Operands first = all, second = all;
    first.depth = half, second.depth = tokens - half;
    second.a.erase(second.a.begin(), second.a.begin() + half * rows);
    second.w.erase(second.w.begin(), second.w.begin() + half * cols);
    second.y = product<float>(Kind::outer, first, true, Element::f32, 2, 0.7);
    CHECK(same_bits(product<float>(Kind::outer, second, true, Element::f32, 1, 0.7),
                    product<float>(Kind::outer, all, true, Element::f32, 2, 0.7)));
  }
}

TEST_CASE("linear: NaN and infinity stay in their rows and columns and reach the result") {
  Operands o = operands(33, 70, 20);
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  o.a[3 * 20 + 7] = nan;
  o.w[41 * 20 + 19] = infinity;
  const std::vector<float> y = product<float>(Kind::plain, o, false, Element::f32, 2);
  for (std::size_t m = 0; m < 33; ++m)
    for (std::size_t n = 0; n < 70; ++n) CHECK(std::isfinite(y[m * 70 + n]) == (m != 3 && n != 41));
  CHECK(std::isnan(y[3 * 70]));
  CHECK(std::isinf(y[41]));
}

TEST_CASE("linear: all values of f16 are widened exactly") {
  std::vector<f16> all;
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) all.push_back({static_cast<std::uint16_t>(bits)});
  for (std::size_t i = 0; i < all.size(); i += static_cast<std::size_t>(lanes)) {
    const Floats wide = load(all.data() + i);
    for (Index j = 0; j < lanes; ++j) {
      const float expected = to_float(all[i + static_cast<std::size_t>(j)]), x = wide[j];
      if (std::isnan(expected) ? !std::isnan(x)
                               : std::bit_cast<std::uint32_t>(x) != std::bit_cast<std::uint32_t>(expected))
        FAIL("f16 bits ", i + static_cast<std::size_t>(j));
    }
  }
}

TEST_CASE("linear: shapes that do not fit are refused, also while planning; planning touches no memory") {
  using B = Cpu<float>;
  Threads threads(1);
  Arena arena = Arena::imaginary();
  Context<B> ctx(threads, arena, 0, Execution::planning);
  const View<B, float, 2> x(nullptr, {4, 6}), w(nullptr, {5, 6}), y(nullptr, {4, 5});
  matmul(ctx, into(y), x, w);
  matmul_transposed(ctx, into(x), y, w);
  matmul_outer(ctx, onto(w), y, x);
  CHECK_THROWS_WITH_AS(matmul(ctx, into(y), w, x), doctest::Contains("y is [4, 5], x is [5, 6] and w is [4, 6]"),
                       Error);
  CHECK_THROWS_AS(matmul_transposed(ctx, into(y), x, w), Error);
  CHECK_THROWS_AS(matmul_outer(ctx, into(y), x, w), Error);
  REQUIRE(ctx.operations().size() == 3);
  CHECK(ctx.operations()[0].name == "matmul");
  CHECK(ctx.operations()[0].cost.flops == 2 * 4 * 5 * 6);
}

}  // namespace linear_test
