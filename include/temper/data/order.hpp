// SPDX-License-Identifier: MIT
// The order of rows, a pure function of seed and epoch: no state to save, and any position is computed directly. A
// Feistel network over Philox permutes the smallest even number of bits that holds all rows; a result outside of the
// range is permuted again until it is inside (Black and Rogaway, 'Ciphers with arbitrary finite domains', 2002).
#pragma once
#include "temper/core/error.hpp"
#include "temper/core/random.hpp"
#include "temper/core/types.hpp"

#include <bit>

namespace temper {

// A permutation of 0 .. count - 1.
class Permutation {
 public:
  Permutation(Index count, Random random) : count_(static_cast<std::uint64_t>(count)), random_(random) {
    require(count >= 0, Fault::usage, "order.count", "a permutation of {} rows; expected 0 or more", count);
    half_ = (static_cast<int>(std::bit_width(count_ > 1 ? count_ - 1 : 1)) + 1) / 2;
  }

  Index operator[](Index position) const {
    auto at = static_cast<std::uint64_t>(position);
    require(at < count_, Fault::usage, "order.position", "position {} of {} rows", position, count_);
    do at = network(at);
    while (at >= count_);
    return static_cast<Index>(at);
  }

 private:
  std::uint64_t network(std::uint64_t at) const {
    const std::uint64_t mask = (std::uint64_t{1} << half_) - 1;
    std::uint64_t left = at >> half_, right = at & mask;
    for (std::uint64_t round = 0; round < 8; ++round) {
      const std::uint64_t mixed = left ^ (random_.block((round << 56) | right)[0] & mask);
      left = right;
      right = mixed;
    }
    return (left << half_) | right;
  }

  std::uint64_t count_;
  Random random_;
  int half_ = 1;  // bits of each half
};

// Row numbers in training order: shuffled by seed and epoch, or as in the files.
class RowOrder {
 public:
  enum class Kind { as_filed, shuffled };

  RowOrder(Kind kind, Index count, std::uint64_t seed, Index epoch)
      : kind_(kind), permutation_(count, Random{seed, random_site("row order"), static_cast<std::uint32_t>(epoch)}) {}

  Index operator[](Index position) const { return kind_ == Kind::as_filed ? position : permutation_[position]; }

 private:
  Kind kind_;
  Permutation permutation_;
};

}  // namespace temper
