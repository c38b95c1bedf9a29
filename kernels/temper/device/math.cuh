// SPDX-License-Identifier: MIT
// Arithmetic of kernels: between the formats of storage and float, and the functions that the GPU has instructions for.
#pragma once
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "temper/device/target.cuh"

namespace temper::device {
inline namespace TEMPER_TARGET {

TEMPER_BOTH std::uint32_t bits_of(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
TEMPER_BOTH float float_of(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

TEMPER_BOTH float widen(float x) { return x; }
TEMPER_BOTH float widen(bf16 x) { return float_of(static_cast<std::uint32_t>(x.bits) << 16); }

// Round to nearest, ties to even: narrow<T>(x), and two at once, the first in the low half.
#if TEMPER_ON_GPU
TEMPER_DEVICE float widen(f16 x) {
  float wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(x.bits));
  return wide;
}
template <class T>
TEMPER_DEVICE T narrow(float x) {
  static_assert(sizeof(T) == 4, "T is float, bf16 or f16");
  return x;
}
template <>
TEMPER_DEVICE bf16 narrow<bf16>(float x) {
  bf16 half;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(half.bits) : "f"(x));
  return half;
}
template <>
TEMPER_DEVICE f16 narrow<f16>(float x) {
  f16 half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half.bits) : "f"(x));
  return half;
}
TEMPER_DEVICE std::uint32_t bf16_pair(float low, float high) {
  std::uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
TEMPER_DEVICE std::uint32_t turned_right(std::uint32_t word, int bits) {  // of bits modulo 32
  return __funnelshift_r(word, word, static_cast<unsigned>(bits));
}
TEMPER_DEVICE float inverse_root(float x) { return rsqrtf(x); }       // within 2 ulp
TEMPER_DEVICE float power_of_two(float x) { return ::exp2f(x); }      // within 2 ulp
TEMPER_DEVICE float logarithm_of_two(float x) { return ::log2f(x); }  // within 1 ulp
TEMPER_DEVICE float infinity() { return __int_as_float(0x7f800000); }
TEMPER_DEVICE float fused_multiply_add(float a, float b, float c) { return __fmaf_rn(a, b, c); }
TEMPER_DEVICE float larger(float a, float b) { return fmaxf(a, b); }
TEMPER_DEVICE float magnitude(float x) { return fabsf(x); }
TEMPER_DEVICE float divide(float a, float b) { return __fdiv_rn(a, b); }     // exactly rounded, whatever the flags
TEMPER_DEVICE float quotient(float a, float b) { return __fdividef(a, b); }  // within 2 ulp; 0 for b above 2^126
// Rounded by themselves: never fused into one operation with another.
TEMPER_DEVICE float product(float a, float b) { return __fmul_rn(a, b); }
TEMPER_DEVICE float sum(float a, float b) { return __fadd_rn(a, b); }
TEMPER_DEVICE float difference(float a, float b) { return __fsub_rn(a, b); }
TEMPER_DEVICE float root(float x) { return __fsqrt_rn(x); }  // the same
#else
inline float widen(f16 x) { return to_float(x); }
template <class T>
inline T narrow(float x) {
  if constexpr (sizeof(T) == 4) {
    return x;
  } else if constexpr (std::is_same_v<T, bf16>) {
    return to_bf16(x);
  } else {
    return to_f16(x);
  }
}
inline std::uint32_t bf16_pair(float low, float high) {
  return static_cast<std::uint32_t>(to_bf16(low).bits) | static_cast<std::uint32_t>(to_bf16(high).bits) << 16;
}
inline std::uint32_t turned_right(std::uint32_t word, int bits) { return std::rotr(word, bits); }
inline float inverse_root(float x) { return 1.0f / std::sqrt(x); }
inline float power_of_two(float x) { return std::exp2(x); }
inline float logarithm_of_two(float x) { return std::log2(x); }
inline float infinity() { return std::numeric_limits<float>::infinity(); }
inline float fused_multiply_add(float a, float b, float c) { return std::fma(a, b, c); }
inline float larger(float a, float b) { return std::fmax(a, b); }
inline float magnitude(float x) { return std::fabs(x); }
inline float divide(float a, float b) { return a / b; }
inline float quotient(float a, float b) { return a / b; }
// g++ fuses across statements unless it is kept from it; a value that it cannot see through does that.
inline float unfused(float x) {
  asm("" : "+x"(x));
  return x;
}
inline float product(float a, float b) { return unfused(a * b); }
inline float sum(float a, float b) { return unfused(a + b); }
inline float difference(float a, float b) { return unfused(a - b); }
inline float root(float x) { return std::sqrt(x); }
#endif

// Through a power of two that may overflow: 2 / infinity is 0. Within a few roundings of 1.
TEMPER_DEVICE float hyperbolic_tangent(float x) {
  return 1.0f - quotient(2.0f, 1.0f + power_of_two(x * (2 * 1.44269504088896340736f)));
}

// The two halves of a pair.
TEMPER_BOTH float low_of(std::uint32_t pair) { return float_of(pair << 16); }
TEMPER_BOTH float high_of(std::uint32_t pair) { return float_of(pair & 0xffff0000u); }

TEMPER_BOTH float square(float x) { return x * x; }
template <class T>
TEMPER_BOTH T smaller_of(T a, T b) {
  return b < a ? b : a;
}
TEMPER_BOTH int divide_up(int a, int b) { return (a + b - 1) / b; }

}  // namespace TEMPER_TARGET
}  // namespace temper::device
