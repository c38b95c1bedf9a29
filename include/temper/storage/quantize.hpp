// SPDX-License-Identifier: MIT
// Floats to codes, as bitsandbytes rounds them. 4 bits: blocks of 64 of the flattened matrix, each divided by its
// largest magnitude; the code is the nearest of 16 values. Scales once more: less their mean, blocks of 256 in the
// dynamic map. int8: each row times 127 / its largest magnitude, to the nearest integer, ties to even.
#pragma once
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "temper/core/error.hpp"
#include "temper/storage/weight_matrix.hpp"

namespace temper {

using FourBitTable = std::array<float, 16>;

// NormalFloat (Dettmers et al. 2023): quantiles of a normal distribution between -1 and 1, zero among them.
inline constexpr FourBitTable nf4_table = {-1.0f,
                                           -0.6961928009986877f,
                                           -0.5250730514526367f,
                                           -0.39491748809814453f,
                                           -0.28444138169288635f,
                                           -0.18477343022823334f,
                                           -0.09105003625154495f,
                                           0.0f,
                                           0.07958029955625534f,
                                           0.16093020141124725f,
                                           0.24611230194568634f,
                                           0.33791524171829224f,
                                           0.44070982933044434f,
                                           0.5626170039176941f,
                                           0.7229568362236023f,
                                           1.0f};

// A sign, two bits of exponent and one of mantissa, over 12: the order of codes is not that of values.
inline constexpr FourBitTable fp4_table = {0.0f,       0.0625f / 12, 8.0f / 12,  1.0f,          4.0f / 12,  6.0f / 12,
                                           2.0f / 12,  3.0f / 12,    -0.0f,      -0.0625f / 12, -8.0f / 12, -1.0f,
                                           -4.0f / 12, -6.0f / 12,   -2.0f / 12, -3.0f / 12};

constexpr const FourBitTable& table_of(Coding coding) { return coding == Coding::fp4 ? fp4_table : nf4_table; }

// Steps up from the smallest value (of the smallest magnitude with fp4): past how many midpoints a number lies.
template <std::size_t N>
constexpr std::array<float, N - 1> midpoints(const std::array<float, N>& ascending) {
  std::array<float, N - 1> middle{};
  for (std::size_t i = 0; i + 1 < N; ++i) middle[i] = (ascending[i] + ascending[i + 1]) / 2;
  return middle;
}
inline constexpr std::array<float, 15> nf4_midpoints = midpoints(nf4_table);
inline constexpr std::array<std::uint8_t, 8> fp4_codes = {0, 1, 6, 7, 4, 5, 2, 3};  // by magnitude
inline constexpr std::array<float, 7> fp4_midpoints = [] {
  std::array<float, 8> ascending{};
  for (std::size_t i = 0; i < 8; ++i) ascending[i] = fp4_table[fp4_codes[i]];
  return midpoints(ascending);
}();

// Up to 64 numbers to codes in pairs; their scale. A block that is cut short is divided by its scale, a whole one
// multiplied with the reciprocal, and a last byte that is half empty codes a zero: all as bitsandbytes' own formula,
// whose CUDA kernel multiplies always. Of the two zeros of fp4 the sign is that of the number, as in that kernel.
inline float quantize_block(Coding coding, const float* x, Index count, std::uint8_t* codes) {
  constexpr float least = 1e-38f;
  float largest = 0;
  for (Index i = 0; i < count; ++i) largest = std::max(largest, std::abs(x[i]));
  const bool whole = count == weight_block;
  if (!whole) largest = std::max(largest, least);
  const float reciprocal = 1 / std::max(largest, least);
  float share[weight_block] = {};
  std::int32_t code[weight_block] = {};
  for (Index i = 0; i < count; ++i) share[i] = std::clamp(whole ? x[i] * reciprocal : x[i] / largest, -1.0f, 1.0f);
  if (coding == Coding::nf4) {
    for (const float middle : nf4_midpoints)
      for (Index i = 0; i < weight_block; ++i) code[i] += share[i] > middle ? 1 : 0;
  } else {
    for (const float middle : fp4_midpoints)
      for (Index i = 0; i < weight_block; ++i) code[i] += std::abs(share[i]) > middle ? 1 : 0;
    for (Index i = 0; i < weight_block; ++i)
      code[i] = fp4_codes[static_cast<std::size_t>(code[i])] | (share[i] < 0 ? 8 : 0);
  }
  for (Index i = 0; i < count; i += 2) codes[i / 2] = static_cast<std::uint8_t>(code[i] << 4 | code[i + 1]);
  return largest;
}

// One row to int8; its largest magnitude.
inline float quantize_row(const float* x, Index count, std::int8_t* codes) {
  float largest = 0;
  for (Index i = 0; i < count; ++i) largest = std::max(largest, std::abs(x[i]));
  const float steps = std::min(127.0f / largest, std::numeric_limits<float>::max());
  for (Index i = 0; i < count; ++i) {
    // Adding 1.5 x 2^23 rounds to an integer, ties to even.
    const float scaled = std::clamp(x[i] * steps, -127.0f, 127.0f);
    codes[i] = static_cast<std::int8_t>((scaled + 0x1.8p23f) - 0x1.8p23f);
  }
  return largest;
}

// The mean in the order in which torch adds on one CPU thread: 32 chains (8 lanes, 4 vectors), each in four levels of
// partial sums. The offset of bitsandbytes' scales is this, and every bit of the coded scales follows from it.
inline float torch_mean(std::span<const float> x) {
  constexpr std::size_t width = 8, vectors = 4, partials = width * vectors, levels = 4;
  using Sums = std::array<float, partials>;
  const std::size_t whole = x.size() / width, size = whole / vectors;
  std::array<Sums, levels> level{};
  const auto power =
      std::max<std::size_t>(4, size > 1 ? static_cast<std::size_t>(std::bit_width(size - 1)) / levels : 0);
  const std::size_t step = std::size_t{1} << power;
  const auto take = [&](std::size_t i) {
    for (std::size_t c = 0; c < partials; ++c) level[0][c] += x[i * partials + c];
  };
  std::size_t i = 0;
  while (i + step <= size) {
    for (const std::size_t end = i + step; i < end; ++i) take(i);
    for (std::size_t l = 1; l < levels; ++l) {
      for (std::size_t c = 0; c < partials; ++c) level[l][c] += level[l - 1][c], level[l - 1][c] = 0;
      if (i & ((step - 1) << (l * power))) break;
    }
  }
  for (; i < size; ++i) take(i);
  Sums& sums = level[0];
  for (std::size_t l = 1; l < levels; ++l)
    for (std::size_t c = 0; c < partials; ++c) sums[c] += level[l][c];
  for (std::size_t v = size * vectors; v < whole; ++v)
    for (std::size_t c = 0; c < width; ++c) sums[c] += x[v * width + c];
  for (std::size_t v = 1; v < vectors; ++v)
    for (std::size_t c = 0; c < width; ++c) sums[c] += sums[v * width + c];
  float sum = 0;
  for (std::size_t rest = whole * width; rest < x.size(); ++rest) sum += x[rest];
  for (std::size_t c = 0; c < width; ++c) sum += sums[c];
  return sum / static_cast<float>(x.size());
}

// Scales to codes; the offset. 'values' takes one float for each 256 scales. The scales are overwritten.
inline float quantize_scales(std::span<float> scales, std::uint8_t* codes, float* values) {
  const float offset = torch_mean(scales);
  for (float& scale : scales) scale -= offset;
  const Index count = std::ssize(scales);
  for (Index begin = 0; begin < count; begin += code_block)
    values[begin / code_block] =
        encode_block<Signs::both>(scales.data() + begin, std::min(code_block, count - begin), codes + begin);
  return offset;
}

// The number of elements that are quantized at a time: of 4 bits some blocks, of int8 one row.
constexpr Index quantized_at_once(Coding coding, Index cols) { return coding == Coding::int8 ? cols : Index{1} << 16; }

constexpr Index elements_of_scale(Coding coding, Index cols) { return coding == Coding::int8 ? cols : weight_block; }

// A piece that begins where a scale does: codes, and a scale for each of its blocks; how many bytes of codes.
inline std::size_t quantize(Coding coding, std::span<const float> values, std::uint8_t* codes, float* scales) {
  const Index count = std::ssize(values);
  if (coding == Coding::int8) {
    *scales = quantize_row(values.data(), count, reinterpret_cast<std::int8_t*>(codes));
    return values.size();
  }
  for (Index i = 0; i < count; i += weight_block)
    *scales++ = quantize_block(coding, values.data() + i, std::min(weight_block, count - i), codes + i / 2);
  return static_cast<std::size_t>((count + 1) / 2);
}

// Elements [begin, begin + count) of a flattened coded matrix [.., cols], as floats.
inline void decode(const void* data, const Codes& codes, Index cols, Index begin, Index count, float* to) {
  if (codes.coding == Coding::int8) {
    constexpr float step = 1.0f / 127;
    const auto* code = static_cast<const std::int8_t*>(data) + begin;
    for (Index i = 0; i < count;) {
      const float scale = codes.scales((begin + i) / cols);
      const Index end = std::min(count, i + cols - (begin + i) % cols);
      for (; i < end; ++i) to[i] = static_cast<float>(code[i]) * scale * step;
    }
    return;
  }
  const FourBitTable& table = table_of(codes.coding);
  const auto* code = static_cast<const std::uint8_t*>(data);
  for (Index i = 0; i < count;) {
    const float scale = codes.scales((begin + i) / weight_block);
    const Index end = std::min(count, i + weight_block - (begin + i) % weight_block);
    for (; i < end; ++i) {
      const Index at = begin + i;
      to[i] = table[static_cast<std::size_t>(at % 2 ? code[at / 2] & 15 : code[at / 2] >> 4)] * scale;
    }
  }
}

}  // namespace temper
