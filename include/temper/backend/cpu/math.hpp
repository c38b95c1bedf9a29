// SPDX-License-Identifier: MIT
// Arithmetic whose bits depend on its operands alone: not on the lane, the alignment or the place in a row. Elementwise
// functions are scalar and free of branches, so that the compiler turns loops over them into vectors; where a product
// meets a sum, the fused operation is spelled out, so that no compiler is left to choose. Sums over a row have a fixed
// tree: element j goes to chain j % 16, and the sixteen chains are added in halves.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "temper/core/types.hpp"

namespace temper {

// a * b + c, rounded once where the machine can and twice where it cannot.
inline float multiply_add(float a, float b, float c) {
#ifdef __FMA__
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}
inline double multiply_add(double a, double b, double c) {
#ifdef __FMA__
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}

// e^x within 2 ulp: x = n ln 2 + r with |r| <= ln(2) / 2, a polynomial in r, and 2^n as two factors, so that neither
// over- nor underflows before the product does. NaN stays NaN.
inline float exponential(float x) {
  constexpr float rounder = 0x1.8p23f;  // adding it leaves the nearest integer in the low bits
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  const float shifted = multiply_add(x, 0x1.715476p0f, rounder);
  const float n = shifted - rounder;
  // ln 2 in two parts; the first has so few bits that n times it is exact.
  const float r = multiply_add(n, 2.12194440e-4f, multiply_add(n, -0.693359375f, x));
  float p = 1.9875691500e-4f;
  p = multiply_add(p, r, 1.3981999507e-3f);
  p = multiply_add(p, r, 8.3334519073e-3f);
  p = multiply_add(p, r, 4.1665795894e-2f);
  p = multiply_add(p, r, 1.6666665459e-1f);
  p = multiply_add(p, r, 5.0000001201e-1f);
  const float e = multiply_add(p, r * r, r) + 1.0f;
  const auto exponent = static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(shifted) - 0x4b400000u);
  const std::int32_t half = exponent >> 1, rest = exponent - half;
  return e * std::bit_cast<float>(static_cast<std::uint32_t>(half + 127) << 23) *
         std::bit_cast<float>(static_cast<std::uint32_t>(rest + 127) << 23);
}
inline double exponential(double x) { return std::exp(x); }

template <class Real>
Real sigmoid(Real x) {
  return Real(1) / (Real(1) + exponential(-x));
}

inline constexpr Index chains = 16;

// x[i] = sqrt(x[i]). std::sqrt may set errno, which keeps compilers from making vectors of it; the instructions do not,
// and round alike.
template <std::size_t N>
void square_roots(float (&x)[N]) {
#if defined(__AVX__)
  static_assert(N % 8 == 0);
  for (std::size_t i = 0; i < N; i += 8) _mm256_storeu_ps(x + i, _mm256_sqrt_ps(_mm256_loadu_ps(x + i)));
#elif defined(__SSE2__)
  static_assert(N % 4 == 0);
  for (std::size_t i = 0; i < N; i += 4) _mm_storeu_ps(x + i, _mm_sqrt_ps(_mm_loadu_ps(x + i)));
#else
  for (float& each : x) each = std::sqrt(each);
#endif
}
template <std::size_t N>
void square_roots(double (&x)[N]) {
  for (double& each : x) each = std::sqrt(each);
}

// chain[j % 16] = next(j, chain[j % 16]) for j in [0, n), all from zero; then the chains are added in halves.
template <class Sum, class Next>
Sum chains_over(Index n, Next next) {
  Sum chain[chains] = {};
  Index j = 0;
  for (; j + chains <= n; j += chains)
    for (Index lane = 0; lane < chains; ++lane) chain[lane] = next(j + lane, chain[lane]);
  for (Index lane = 0; j + lane < n; ++lane) chain[lane] = next(j + lane, chain[lane]);
  for (Index half = chains / 2; half > 0; half /= 2)
    for (Index lane = 0; lane < half; ++lane) chain[lane] += chain[lane + half];
  return chain[0];
}

// The sum over j of term(j), j in [0, n), in chains of Sum. A term that is a product must be exact in Sum, or the
// compiler chooses where it is rounded; other products go to chains_over with multiply_add. For Cpu<float>, whose bits
// are a law, all of them are (they are summed in double); of Cpu<double>, the oracle, no bits are promised, and its
// products come here too.
template <class Sum, class Term>
Sum sum_over(Index n, Term term) {
  return chains_over<Sum>(n, [&](Index j, Sum sum) { return sum + static_cast<Sum>(term(j)); });
}

// The largest element; minus infinity of nothing. A NaN is passed over or returned, depending on its place.
template <class Real>
Real maximum_of(const Real* x, Index n) {
  Real chain[chains];
  std::fill_n(chain, chains, -std::numeric_limits<Real>::infinity());
  Index j = 0;
  for (; j + chains <= n; j += chains)
    for (Index lane = 0; lane < chains; ++lane) chain[lane] = x[j + lane] > chain[lane] ? x[j + lane] : chain[lane];
  for (Index lane = 0; j + lane < n; ++lane) chain[lane] = x[j + lane] > chain[lane] ? x[j + lane] : chain[lane];
  for (Index lane = 1; lane < chains; ++lane) chain[0] = chain[lane] > chain[0] ? chain[lane] : chain[0];
  return chain[0];
}

// Work is cut into pieces by its shape alone: about 'grain' elements each.
struct Pieces {
  static constexpr Index grain = 16384;
  Index total, each;

  static Pieces of_elements(Index count) { return {count, grain}; }
  static Pieces of_rows(Index rows, Index cols) { return {rows, std::max<Index>(1, grain / std::max<Index>(1, cols))}; }
  static Pieces of(Index total, Index each) { return {total, each}; }

  Index count() const { return (total + each - 1) / each; }
  Index begin(Index piece) const { return piece * each; }
  Index end(Index piece) const { return std::min(total, (piece + 1) * each); }
};

// s[j] (+)= the chain of next(t, j, sum) over t = 0 .. rows - 1, each column in a chain of its own.
template <class Stream, class Real, class Next>
void sum_columns(Stream& stream, Real* s, bool add, Index rows, Index cols, Next next) {
  constexpr Index width = 64;
  const Pieces pieces = Pieces::of(cols, width);
  stream.parallel(pieces.count(), [&](Index piece, int) {
    const Index begin = pieces.begin(piece), count = pieces.end(piece) - begin;
    Real chain[width] = {};
    if (add) std::copy_n(s + begin, count, chain);
    if (count == width)
      for (Index t = 0; t < rows; ++t)
        for (Index j = 0; j < width; ++j) chain[j] = next(t, begin + j, chain[j]);
    else
      for (Index t = 0; t < rows; ++t)
        for (Index j = 0; j < count; ++j) chain[j] = next(t, begin + j, chain[j]);
    std::copy_n(chain, count, s + begin);
  });
}

}  // namespace temper
