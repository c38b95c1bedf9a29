// SPDX-License-Identifier: MIT
// y = x / (1 - p) where a number of the stream is at least p, and 0 elsewhere; the gradient is the same with dy for x.
// Numbers are those of temper::Random (Philox4x32-10, Salmon et al. 2011), by seed, site, step and element, so that
// nothing is stored between the two, and every backend drops the same elements.
#pragma once
#include "temper/device/block.cuh"
#include "temper/kernel/random.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// A thread takes a piece of 16 bytes, where it is aligned one or two whole blocks of four numbers. y may be x.
template <class T>
struct Dropout {
  static constexpr int threads = 256, each = 16 / int{sizeof(T)};
  using Shared = device::NoShared;
  const T* x;
  T* y;
  Index count;
  Random random;
  std::uint64_t offset;     // the number of the first element in the stream
  std::uint32_t threshold;  // of 24 bits: ceil(p 2^24)
  float scale;              // 1 / (1 - p)

  static int grid(Index count) {
    return static_cast<int>((count + Index{threads} * each - 1) / (Index{threads} * each));
  }

  TEMPER_DEVICE T one(T value, std::uint32_t bits) const {
    return device::narrow<T>(bits >> 8 >= threshold ? device::widen(value) * scale : 0.0f);
  }
  TEMPER_DEVICE void operator()(device::Block<Dropout>& block) const {
    const Index first = (Index{block.index().x} * threads + block.thread()) * each;
    if (first >= count) return;
    const std::uint64_t element = offset + static_cast<std::uint64_t>(first);
    if (first + each <= count && element % 4 == 0 && device::aligned(x, 16) && device::aligned(y, 16)) {
      auto piece = device::load<each>(x + first);
      TEMPER_UNROLL
      for (int i = 0; i < each; i += 4) {
        const auto bits = random_block(random, element / 4 + static_cast<unsigned>(i / 4));
        TEMPER_UNROLL
        for (int e = 0; e < 4; ++e) piece[i + e] = one(piece[i + e], bits[e]);
      }
      device::store(y + first, piece);
    } else {
      for (Index i = first; i < first + each && i < count; ++i) {
        const std::uint64_t at = offset + static_cast<std::uint64_t>(i);
        const auto bits = random_block(random, at / 4);
        const auto which = static_cast<int>(at % 4);
        y[i] = one(x[i], which < 2 ? (which == 0 ? bits[0] : bits[1]) : (which == 2 ? bits[2] : bits[3]));
      }
    }
  }
};

// The kernel for a probability; grid x is Dropout<T>::grid(count).
template <class T>
Dropout<T> dropout(const T* x, T* y, Index count, double probability, const Random& random, std::uint64_t offset) {
  return {x,
          y,
          count,
          random,
          offset,
          static_cast<std::uint32_t>(std::ceil(probability * 0x1p24)),
          static_cast<float>(1 / (1 - probability))};
}

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
