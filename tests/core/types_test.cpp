// SPDX-License-Identifier: MIT
// Both 16-bit formats have 65536 values, so every pattern is tried; rounding is tried at and around every tie.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "temper/core/types.hpp"

namespace types_test {

using namespace temper;

constexpr std::uint32_t patterns = 65536;

bool is_nan_bits(bf16 x) { return (x.bits & 0x7fffu) > 0x7f80u; }
bool is_nan_bits(f16 x) { return (x.bits & 0x7fffu) > 0x7c00u; }

float next_above(float x) { return std::nextafter(x, std::numeric_limits<float>::infinity()); }
float next_below(float x) { return std::nextafter(x, -std::numeric_limits<float>::infinity()); }

// For neighbours low < high of a format: everything below the middle rounds down, above it up, the tie to even.
template <class Half, class Round>
std::uint32_t count_wrong_roundings(std::uint16_t largest_finite, Round round) {
  std::uint32_t wrong = 0;
  for (std::uint32_t bits = 0; bits < largest_finite; ++bits) {
    const Half low{static_cast<std::uint16_t>(bits)}, high{static_cast<std::uint16_t>(bits + 1)};
    // In double, since the sum of the two largest is past float's range; the middle itself is exact in float.
    const auto tie = static_cast<float>((double{to_float(low)} + double{to_float(high)}) / 2);
    const Half even = bits % 2 == 0 ? low : high;
    wrong += round(tie) != even;
    wrong += round(next_below(tie)) != low;
    wrong += round(next_above(tie)) != high;
    const auto negative = [](Half x) { return Half{static_cast<std::uint16_t>(x.bits | 0x8000u)}; };
    wrong += round(-tie) != negative(even);
    wrong += round(-next_above(tie)) != negative(high);
  }
  return wrong;
}

TEST_CASE("bf16: every pattern survives the way to float and back") {
  std::uint32_t wrong = 0;
  for (std::uint32_t bits = 0; bits < patterns; ++bits) {
    const bf16 x{static_cast<std::uint16_t>(bits)};
    if (is_nan_bits(x))
      wrong += !std::isnan(to_float(x)) || !is_nan_bits(to_bf16(to_float(x)));
    else
      wrong += to_bf16(to_float(x)) != x;
  }
  CHECK(wrong == 0);
}

// Over all 65536 random numbers the share that goes up is the distance from below: the mean is the value itself.
TEST_CASE("bf16: stochastic rounding goes to a neighbour, has the value as its mean, and leaves bf16's own values") {
  for (const float x : {1.00001f, -1.0039f, 0.3f, -7.77e-20f, 1e-40f, 3.389e38f, 1.999999f, -0.1f}) {
    CAPTURE(x);
    const auto below = std::bit_cast<std::uint32_t>(x) >> 16;
    double sum = 0;
    std::uint32_t wrong = 0;
    for (std::uint32_t random = 0; random < patterns; ++random) {
      const bf16 rounded = to_bf16(x, static_cast<std::uint16_t>(random));
      wrong += rounded.bits != below && rounded.bits != below + 1;
      sum += double{to_float(rounded)};
    }
    CHECK(wrong == 0);
    CHECK(sum / patterns == double{x});
  }
  std::uint32_t moved = 0;
  for (std::uint32_t bits = 0; bits < patterns; ++bits) {
    const bf16 x{static_cast<std::uint16_t>(bits)};
    for (const std::uint16_t random : std::initializer_list<std::uint16_t>{0, 1, 32768, 65535})
      moved += is_nan_bits(x) ? !is_nan_bits(to_bf16(to_float(x), random)) : to_bf16(to_float(x), random) != x;
  }
  CHECK(moved == 0);
  const float largest = std::numeric_limits<float>::max();
  CHECK(std::isfinite(to_float(to_bf16(largest, 65535))));
  CHECK(to_bf16(-largest, 65535) == to_bf16(-to_float(bf16{0x7f7f})));
}

TEST_CASE("f16: every pattern survives the way to float and back") {
  std::uint32_t wrong = 0;
  for (std::uint32_t bits = 0; bits < patterns; ++bits) {
    const f16 x{static_cast<std::uint16_t>(bits)};
    if (is_nan_bits(x))
      wrong += !std::isnan(to_float(x)) || !is_nan_bits(to_f16(to_float(x)));
    else
      wrong += to_f16(to_float(x)) != x;
  }
  CHECK(wrong == 0);
}

TEST_CASE("f16: values are those of the IEEE format") {
  CHECK(to_float(f16{0x3c00}) == 1.0f);
  CHECK(to_float(f16{0xc000}) == -2.0f);
  CHECK(to_float(f16{0x7bff}) == 65504.0f);
  CHECK(to_float(f16{0x0001}) == std::ldexp(1.0f, -24));
  CHECK(to_float(f16{0x03ff}) == std::ldexp(1023.0f, -24));
  CHECK(to_float(f16{0x0400}) == std::ldexp(1.0f, -14));
  CHECK(to_float(f16{0x7c00}) == std::numeric_limits<float>::infinity());
  CHECK(std::signbit(to_float(f16{0x8000})));
}

TEST_CASE("bf16: rounding is to nearest, ties to even") {
  CHECK(count_wrong_roundings<bf16>(0x7f7f, [](float x) { return to_bf16(x); }) == 0);
}

TEST_CASE("f16: rounding is to nearest, ties to even, through the subnormals") {
  CHECK(count_wrong_roundings<f16>(0x7bff, [](float x) { return to_f16(x); }) == 0);
}

TEST_CASE("rounding past the largest value gives infinity, NaN stays NaN") {
  const float largest = std::numeric_limits<float>::max(), nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(to_bf16(largest) == bf16{0x7f80});
  CHECK(to_bf16(-largest) == bf16{0xff80});
  CHECK(to_f16(largest) == f16{0x7c00});
  CHECK(to_f16(65519.99f) == f16{0x7bff});
  CHECK(to_f16(65520.0f) == f16{0x7c00});
  CHECK(to_f16(-65520.0f) == f16{0xfc00});
  CHECK(is_nan_bits(to_bf16(nan)));
  CHECK(is_nan_bits(to_f16(nan)));
  // A NaN whose payload lies in the bits that are cut off.
  CHECK(is_nan_bits(to_bf16(std::bit_cast<float>(0x7f800001u))));
  CHECK(is_nan_bits(to_f16(std::bit_cast<float>(0x7f800001u))));
}

#ifdef __FLT16_MANT_DIG__
TEST_CASE("f16: conversions agree with the compiler's own half precision type") {
  std::uint32_t wrong = 0;
  for (std::uint32_t bits = 0; bits < patterns; ++bits) {
    const f16 x{static_cast<std::uint16_t>(bits)};
    if (is_nan_bits(x)) continue;
    wrong += to_float(x) != static_cast<float>(std::bit_cast<_Float16>(x.bits));
  }
  // A stride that is odd and prime reaches every exponent and many mantissas of float.
  for (std::uint64_t bits = 0; bits < (1ull << 32); bits += 40503) {
    const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (std::isnan(x)) continue;
    wrong += to_f16(x).bits != std::bit_cast<std::uint16_t>(static_cast<_Float16>(x));
  }
  CHECK(wrong == 0);
}
#endif

TEST_CASE("conversions can be used in constant expressions") {
  static_assert(to_float(bf16{0x3f80}) == 1.0f);
  static_assert(to_bf16(1.0f) == bf16{0x3f80});
  static_assert(to_f16(0.5f) == f16{0x3800});
  static_assert(to_float(f16{0x3800}) == 0.5f);
}

TEST_CASE("elements know their size and their name in safetensors") {
  CHECK(bytes_of(Element::f32) == 4);
  CHECK(bytes_of(Element::bf16) == 2);
  CHECK(bytes_of(Element::f16) == 2);
  CHECK(name_of(Element::f32) == "F32");
  CHECK(name_of(Element::bf16) == "BF16");
  CHECK(name_of(Element::f16) == "F16");
}

template <class Real>
void check_rounded_products() {
  constexpr std::size_t count = 256;  // known to the compiler, which makes vectors of such a loop where it may
  Real a[count], b[count], sum[count];
  for (std::size_t i = 0; i < count; ++i) a[i] = 1 / Real(i + 1), b[i] = Real(0.37) * Real(i) + Real(0.1);
  for (std::size_t i = 0; i < count; ++i) sum[i] = rounded_product(a[i] * b[i]) + Real(0.0421);
  Index otherwise = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const volatile Real product = a[i] * b[i];
    CHECK(sum[i] == product + Real(0.0421));
    if (std::fma(a[i], b[i], Real(0.0421)) != sum[i]) ++otherwise;
  }
  CHECK(otherwise > 20);  // or this would not show it
}

TEST_CASE("rounded_product: nothing is fused with what follows, in a loop that vectors could be made of") {
  check_rounded_products<float>();
  check_rounded_products<double>();
}

}  // namespace types_test
