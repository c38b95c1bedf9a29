// SPDX-License-Identifier: MIT
// NF4 (Dettmers et al. 2023), bit for bit as bitsandbytes has it: elements in row-major order make blocks of 64, each
// with its largest magnitude; an element is the code of x (1 / absmax), two codes a byte, the earlier in the high half.
// Codes are found by comparison with 15 thresholds, so that a tie goes the same way everywhere.
#pragma once
#include "temper/device/block.cuh"
#include "temper/device/vector.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

inline constexpr int nf4_block = 64;

// The value of a code, exactly as float has it. By choices: an array with an index would lie in slow memory.
TEMPER_BOTH float nf4_value(unsigned code) {
  const bool one = (code & 1u) != 0, two = (code & 2u) != 0, four = (code & 4u) != 0;
  const float lowest = one ? -0.6961928009986877f : -1.0f, low = one ? -0.39491748809814453f : -0.5250730514526367f;
  const float below = one ? -0.18477343022823334f : -0.28444138169288635f, zero = one ? 0.0f : -0.09105003625154495f;
  const float above = one ? 0.16093020141124725f : 0.07958029955625534f;
  const float middle = one ? 0.33791524171829224f : 0.24611230194568634f;
  const float high = one ? 0.5626170039176941f : 0.44070982933044434f, highest = one ? 1.0f : 0.7229568362236023f;
  const float negative = four ? (two ? zero : below) : (two ? low : lowest);
  const float positive = four ? (two ? highest : high) : (two ? middle : above);
  return (code & 8u) != 0 ? positive : negative;
}

// How many thresholds x lies above; NaN lies above none.
TEMPER_BOTH unsigned nf4_code(float x) {
  unsigned code = 0;
  code += x > -0.8480964004993439f;
  code += x > -0.6106329262256622f;
  code += x > -0.4599952697753906f;
  code += x > -0.33967943489551544f;
  code += x > -0.23460740596055984f;
  code += x > -0.13791173323988914f;
  code += x > -0.045525018125772476f;
  code += x > 0.03979014977812767f;
  code += x > 0.1202552504837513f;
  code += x > 0.2035212516784668f;
  code += x > 0.2920137718319893f;
  code += x > 0.3893125355243683f;
  code += x > 0.5016634166240692f;
  code += x > 0.6427869200706482f;
  code += x > 0.8614784181118011f;
  return code;
}

// A block of 64 a warp: a lane takes two neighbours, which are one byte.
template <class T>
struct Nf4Quantize {
  static constexpr int threads = 256, blocks_of_64 = threads / device::warp_size;
  using Shared = device::NoShared;
  const T* x;
  unsigned char* codes;  // [(count + 1) / 2]
  float* absmax;         // [(count + 63) / 64]
  Index count;

  static int grid(Index count) {
    const Index each = Index{blocks_of_64} * nf4_block;
    return static_cast<int>((count + each - 1) / each);
  }

  TEMPER_DEVICE void operator()(device::Block<Nf4Quantize>& block) const {
    const Index number = Index{block.index().x} * blocks_of_64 + block.warp_index();
    const Index at = number * nf4_block + block.lane() * 2;
    float first = 0, second = 0;
    if (at + 1 < count && device::aligned(x, 2 * int{sizeof(T)})) {
      const auto both = device::load<2>(x + at);
      first = device::widen(both[0]);
      second = device::widen(both[1]);
    } else {
      if (at < count) first = device::widen(x[at]);
      if (at + 1 < count) second = device::widen(x[at + 1]);
    }
    const float largest = warp_max(block.warp(), device::larger(device::magnitude(first), device::magnitude(second)));
    if (at >= count) return;
    const float inverse = device::divide(1.0f, largest);
    codes[at / 2] = static_cast<unsigned char>(nf4_code(first * inverse) << 4 | nf4_code(second * inverse));
    if (block.lane() == 0) absmax[number] = largest;
  }
};

// x = value of the code times absmax, rounded to T. A thread takes eight codes at a time, at once where that many are
// left. Values come from a table that has a copy for each bank of shared memory.
template <class T>
struct Nf4Dequantize {
  static constexpr int threads = 256, each = 8, rounds = 2, width = 16 / int{sizeof(T)};
  struct Shared {
    float value[16][device::warp_size];
  };
  const unsigned char* codes;
  const float* absmax;
  T* x;
  Index count;

  static constexpr Index of_block = Index{threads} * each * rounds;
  static int grid(Index count) { return static_cast<int>((count + of_block - 1) / of_block); }

  TEMPER_DEVICE void operator()(device::Block<Nf4Dequantize>& block) const {
    const int lane = block.lane();
    for (int code = block.warp_index(); code < 16; code += threads / device::warp_size)
      block.shared.value[code][lane] = nf4_value(static_cast<unsigned>(code));
    block.sync();
    for (int round = 0; round < rounds; ++round) {
      const Index at = block.index().x * of_block + (Index{round} * threads + block.thread()) * each;
      if (at >= count) return;
      const float scale = absmax[at / nf4_block];
      const auto value = [&](unsigned byte, int i) {
        return device::narrow<T>(block.shared.value[i % 2 == 0 ? byte >> 4 : byte & 15u][lane] * scale);
      };
      if (at + each <= count && device::aligned(codes, 4) && device::aligned(x, 16)) {
        const std::uint32_t word = device::load<1>(reinterpret_cast<const std::uint32_t*>(codes + at / 2))[0];
        TEMPER_UNROLL
        for (int i = 0; i < each; i += width) {
          device::Vector<T, width> some;
          TEMPER_UNROLL
          for (int j = 0; j < width; ++j) some[j] = value((word >> ((i + j) / 2 * 8)) & 255u, j);
          device::store(x + at + i, some);
        }
      } else {
        for (int i = 0; i < each && at + i < count; ++i) x[at + i] = value(codes[(at + i) / 2], i);
      }
    }
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
