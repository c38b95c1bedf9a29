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
#include "temper/storage/four_bit.hpp"
#include "temper/storage/weight_matrix.hpp"

namespace temper {

constexpr const FourBitTable& table_of(Coding coding) { return coding == Coding::fp4 ? fp4_table : nf4_table; }

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

// Runs what a pool of threads would, on the caller's thread alone.
struct OneThread {
  static constexpr int count() { return 1; }
  static void parallel(Index pieces, auto&& work) {
    for (Index piece = 0; piece < pieces; ++piece) work(piece);
  }
};

// A whole matrix, a piece at a time on each thread: read(begin, floats) gives elements of the flattened matrix,
// keep(byte, codes) takes what they became, in order. The scales. A piece knows nothing of the others, so bits do not
// depend on the threads.
template <class Pool, class Read, class Keep>
std::vector<float> quantize_pieces(Pool&& threads, Coding coding, Index rows, Index cols, Read&& read, Keep&& keep) {
  const Index count = rows * cols, at_once = std::min(quantized_at_once(coding, cols), count);
  const Index of_byte = coding == Coding::int8 ? 1 : 2, of_scale = elements_of_scale(coding, cols);
  const Index round = count == 0 ? 1 : std::min(at_once * threads.count(), count);
  std::vector<float> scales(static_cast<std::size_t>(scales_of(coding, rows, cols)));
  std::vector<float> values(static_cast<std::size_t>(round));
  std::vector<std::uint8_t> codes((values.size() + 1) / static_cast<std::size_t>(of_byte));
  for (Index begin = 0; begin < count; begin += round) {
    const Index many = std::min(round, count - begin);
    threads.parallel((many + at_once - 1) / at_once, [&](Index piece) {
      const Index at = piece * at_once;
      const std::span some(values.data() + at, static_cast<std::size_t>(std::min(at_once, many - at)));
      read(begin + at, some);
      quantize(coding, some, codes.data() + at / of_byte, scales.data() + (begin + at) / of_scale);
    });
    keep(begin / of_byte,
         std::span<const std::uint8_t>(codes.data(), static_cast<std::size_t>((many + of_byte - 1) / of_byte)));
  }
  return scales;
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
