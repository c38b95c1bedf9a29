// SPDX-License-Identifier: MIT
// The words that every other header uses: sizes, token ids, and the number formats that weights are stored in.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace temper {

using Index = std::ptrdiff_t;  // sizes and positions: signed, so that differences are safe
using Step = std::int64_t;     // optimizer steps, counted from 0
using TokenId = std::int32_t;  // a row of the embedding table

// Storage formats. Arithmetic is never done in them on the CPU: they are widened to the backend's Activation first.
struct bf16 {
  std::uint16_t bits;
  friend bool operator==(bf16, bf16) = default;
};
struct f16 {
  std::uint16_t bits;
  friend bool operator==(f16, f16) = default;
};

constexpr float to_float(float x) { return x; }
constexpr float to_float(bf16 x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16); }

// IEEE half to float: exponent 0 is a subnormal, exponent 31 infinity or NaN; all values are exact in float.
constexpr float to_float(f16 x) {
  const std::uint32_t sign = (x.bits & 0x8000u) << 16, exponent = (x.bits >> 10) & 0x1fu, mantissa = x.bits & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

// Round to nearest, ties to even; NaN stays NaN (its top mantissa bit is set so that truncation cannot make infinity).
constexpr bf16 to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<std::uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

// Stochastic rounding: up or down with the probability of nearness, so that the mean is x; what bf16 has stays as it
// is. 'random' is uniform. Finite values stay finite: above the largest of bf16 they are cut to it.
constexpr bf16 to_bf16(float x, std::uint16_t random) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return to_bf16(x);
  const std::uint32_t added = magnitude < 0x7f7f0000u ? random : 0u;
  return {static_cast<std::uint16_t>((bits + added) >> 16)};
}

// x, rounded before anything is done with it. Compilers make one fused operation of a product and a sum wherever they
// see them (clang within an expression only, but for -ffp-contract=fast), and g++ forgets __builtin_assoc_barrier where
// it makes vectors of a loop. Through an empty instruction nothing is seen; nor are vectors made, so that hot loops
// spell out the fused operation (multiply_add) instead.
template <class T>
[[gnu::always_inline]] inline T rounded_product(T x) {
#if defined(__SSE2__) && !defined(__CUDACC__)
  asm("" : "+x"(x));
  return x;
#elif defined(__aarch64__) && !defined(__CUDACC__)
  asm("" : "+w"(x));
  return x;
#else
  const volatile T rounded = x;
  return rounded;
#endif
}

constexpr f16 to_f16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {static_cast<std::uint16_t>(sign | 0x7e00u)};
  if (magnitude >= 0x477ff000u) return {static_cast<std::uint16_t>(sign | 0x7c00u)};  // rounds past 65504
  if (magnitude < 0x38800000u) {  // subnormal or zero: adding 1/2 aligns the ulp of float with 2^-24
    const auto shifted = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f);
    return {static_cast<std::uint16_t>(sign | (shifted - 0x3f000000u))};
  }
  const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return {static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13))};
}

// How the elements of a stored tensor are encoded; known only when the file is read.
enum class Element : std::uint8_t { f32, bf16, f16, f64 };

constexpr std::size_t bytes_of(Element e) { return e == Element::f64 ? 8 : e == Element::f32 ? 4 : 2; }
constexpr std::string_view name_of(Element e) {
  return e == Element::f32 ? "F32" : e == Element::bf16 ? "BF16" : e == Element::f16 ? "F16" : "F64";
}

}  // namespace temper
