// SPDX-License-Identifier: MIT
// The widest vector of floats that the build targets, written with the vector extensions of GCC and clang; all choices
// by instruction set stand here. fma() is the one arithmetic of every product: fused where the target can, always a
// multiplication and an addition where it cannot, and never left to the compiler's mood (-ffp-contract).
#pragma once
#include <cstring>
#include <type_traits>
#include <utility>

#include "temper/core/types.hpp"

#if defined(__FMA__)
#if defined(__GNUC__) && !defined(__clang__)  // g++ 12 takes its own undefined vectors for mistakes, also under Eigen
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif
#endif

namespace temper {

#if defined(__AVX512F__)
inline constexpr Index lanes = 16, tile_rows = 14;  // 28 sums, 2 vectors of B, a broadcast: 31 of 32 registers
#elif defined(__AVX__)
inline constexpr Index lanes = 8, tile_rows = 6;  // 12 + 2 + 1 of 16 registers
#else
inline constexpr Index lanes = 4, tile_rows = 4;
#endif

using Floats __attribute__((vector_size(lanes * sizeof(float)))) = float;
using Words __attribute__((vector_size(lanes * sizeof(float)))) = std::uint32_t;
using HalfWords __attribute__((vector_size(lanes * sizeof(float) / 2))) = std::uint16_t;

[[gnu::always_inline]] inline Floats load(const float* from) {
  Floats x;
  std::memcpy(&x, from, sizeof(x));
  return x;
}
// Fetches from[distance] into the second-level cache; it may lie beyond the end of its array.
template <class T>
[[gnu::always_inline]] inline void prefetch(const T* from, Index distance) {
  const auto bytes = static_cast<std::uintptr_t>(distance) * sizeof(T);
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(from) + bytes), 0, 2);
}

[[gnu::always_inline]] inline void store(float* to, Floats x) { std::memcpy(to, &x, sizeof(x)); }
[[gnu::always_inline]] inline Floats broadcast(float x) { return x - Floats{}; }

[[gnu::always_inline]] inline Floats fma(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__x86_64__)
  return a * b + c;  // there is nothing that could fuse these
#else
  for (Index i = 0; i < lanes; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return c;
#endif
}

// Stored elements, widened; a two-byte element stands in the low half of its word. All are exact in float but f64's.
template <class T>
[[gnu::always_inline]] inline Floats widened(Words bits) {
  if constexpr (std::is_same_v<T, bf16>) {
    return std::bit_cast<Floats>(bits << 16);
  } else {
    // Exponent and mantissa stand where float's do after a shift; the biases differ by 112. Infinity and NaN need
    // theirs.
    const Words magnitude = bits & 0x7fffu;
    const Words finite = std::bit_cast<Words>(std::bit_cast<Floats>(magnitude << 13) * 0x1p112f);
    const Words special = std::bit_cast<Words>(magnitude >= 0x7c00u) & 0x7f800000u;
    return std::bit_cast<Floats>(finite | special | ((bits & 0x8000u) << 16));
  }
}
template <class T>
requires(sizeof(T) == 2) [[gnu::always_inline]] inline Floats load(const T* from) {
  HalfWords bits;
  std::memcpy(&bits, from, sizeof(bits));
  return widened<T>(__builtin_convertvector(bits, Words));
}
[[gnu::always_inline]] inline Floats load(const double* from) {
  Floats x;
  for (Index i = 0; i < lanes; ++i) x[i] = static_cast<float>(from[i]);
  return x;
}
template <class T>
[[gnu::always_inline]] inline Floats load_some(const T* from, Index count) {
  T padded[lanes] = {};
  std::memcpy(padded, from, static_cast<std::size_t>(count) * sizeof(T));
  return load(padded);
}

// A stage of a transposition: what rows that lie Step apart exchange. Within groups of four lanes single lanes (Size 1)
// or pairs alternate; groups (Size 4) go where the even and the odd ones are apart. All are one instruction on x86.
template <Index Size, std::size_t... J>
[[gnu::always_inline]] inline void exchange(Floats& a, Floats& b, std::index_sequence<J...>) {
  constexpr auto n = static_cast<std::size_t>(lanes), size = static_cast<std::size_t>(Size);
  constexpr auto from = [](std::size_t j) {
    return size == 1 ? j / 4 * 4 + j % 4 / 2 + j % 2 * n : size == 2 ? j + (j & 2) / 2 * (n - 2) : j / 4 * 8 + j % 4;
  };
  constexpr std::size_t other = size == 1 ? 2 : size;
  const Floats upper = __builtin_shufflevector(a, b, static_cast<int>(from(J))...);
  const Floats lower = __builtin_shufflevector(a, b, static_cast<int>(from(J) + other)...);
  a = upper, b = lower;
}
template <Index Size, Index Step = Size>
[[gnu::always_inline]] inline void exchange_all(Floats (&rows)[lanes]) {
  if constexpr (Step < lanes) {
#pragma GCC unroll 16
    for (Index i = 0; i < lanes; ++i)
      if ((i & Step) == 0) exchange<Size>(rows[i], rows[i + Step], std::make_index_sequence<std::size_t{lanes}>{});
  }
}

// rows[i] lane j <-> rows[j] lane i, in log2(lanes) stages.
[[gnu::always_inline]] inline void transpose(Floats (&rows)[lanes]) {
  exchange_all<1>(rows), exchange_all<2>(rows), exchange_all<4>(rows), exchange_all<4, 8>(rows);
#pragma GCC unroll 16
  for (Index i = 0; i < lanes; i += 4) std::swap(rows[i + 1], rows[i + 2]);
}

}  // namespace temper
