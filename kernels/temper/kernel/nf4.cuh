// SPDX-License-Identifier: MIT
// NF4 (Dettmers et al. 2023), bit for bit as the CUDA kernels of bitsandbytes have it: elements in row-major order make
// blocks of 64, each with its largest magnitude; an element is the code of x (1 / absmax), two codes a byte, the
// earlier in the high half. Codes are found by comparison with 15 thresholds, so that a tie goes the same way
// everywhere.
#pragma once
#include <utility>

#include "temper/backend/dynamic_map.hpp"
#include "temper/device/block.cuh"
#include "temper/device/vector.cuh"
#include "temper/storage/four_bit.hpp"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

inline constexpr int nf4_block = 64;

// The shared tables, an element a constant: what nvcc has a value for, where an array would lie in slow memory.
template <std::size_t Code>
inline constexpr float nf4_constant = nf4_table[Code];
template <std::size_t Step>
inline constexpr float nf4_threshold = nf4_cuda_thresholds[Step];

// The value of a code, exactly as float has it.
TEMPER_BOTH float nf4_value(unsigned code) {
  const bool one = (code & 1u) != 0, two = (code & 2u) != 0, four = (code & 4u) != 0;
  const float lowest = one ? nf4_constant<1> : nf4_constant<0>, low = one ? nf4_constant<3> : nf4_constant<2>;
  const float below = one ? nf4_constant<5> : nf4_constant<4>, zero = one ? nf4_constant<7> : nf4_constant<6>;
  const float above = one ? nf4_constant<9> : nf4_constant<8>, middle = one ? nf4_constant<11> : nf4_constant<10>;
  const float high = one ? nf4_constant<13> : nf4_constant<12>, highest = one ? nf4_constant<15> : nf4_constant<14>;
  const float negative = four ? (two ? zero : below) : (two ? low : lowest);
  const float positive = four ? (two ? highest : high) : (two ? middle : above);
  return (code & 8u) != 0 ? positive : negative;
}

// How many thresholds x lies above; NaN lies above none.
template <std::size_t... Step>
TEMPER_BOTH unsigned nf4_steps(float x, std::index_sequence<Step...>) {
  return (0u + ... + static_cast<unsigned>(x > nf4_threshold<Step>));
}
TEMPER_BOTH unsigned nf4_code(float x) { return nf4_steps(x, std::make_index_sequence<15>{}); }

// Scales of blocks of 64: floats, or codes of the dynamic map with a float for each 256 of them (double quantization).
struct Nf4Scales {
  const float* values;
  const unsigned char* codes = nullptr;
  const float* map = nullptr;  // [256], where there are codes
  float offset = 0;

  // In two steps, so that other work can go on while the first is under way.
  struct Read {
    float value;
    unsigned char code;
  };
  TEMPER_DEVICE Read read(Index i) const {
    return codes == nullptr ? Read{values[i], 0} : Read{values[i / code_block], codes[i]};
  }
  TEMPER_DEVICE float decode(const Read& read) const {
    return codes == nullptr ? read.value : device::sum(device::product(map[read.code], read.value), offset);
  }
  TEMPER_DEVICE float operator()(Index i) const { return decode(read(i)); }
};

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
  Nf4Scales scales;
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
      const float scale = scales(at / nf4_block);
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
