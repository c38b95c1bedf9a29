// SPDX-License-Identifier: MIT
// The merges of byte-pair encoding by pair of token ids. Ids are not negative.
#pragma once
#include "temper/core/types.hpp"

#include <cstdint>
#include <limits>
#include <vector>

namespace temper {

struct Merge {
  static constexpr std::uint32_t no_rank = std::numeric_limits<std::uint32_t>::max();

  std::uint32_t rank = no_rank;
  TokenId into = -1;
};

// Merges by pair of ids: open addressing, at most half full.
class MergeTable {
  struct Slot {
    std::uint64_t pair;
    Merge merge;
  };
  static constexpr std::uint64_t free_slot = ~std::uint64_t{0};  // ids are not negative, so no pair is this
  std::vector<Slot> slots_{{free_slot, {}}};
  std::size_t used_ = 0;

 public:
  const Merge* find(TokenId left, TokenId right) const {
    const Slot& slot = slots_[slot_of(pair_of(left, right))];
    return slot.pair == free_slot ? nullptr : &slot.merge;
  }

  // A later merge of the same pair replaces the earlier.
  void set(TokenId left, TokenId right, Merge merge) {
    if ((used_ + 1) * 2 > slots_.size()) grow();
    Slot& slot = slots_[slot_of(pair_of(left, right))];
    if (slot.pair == free_slot) ++used_;
    slot = {pair_of(left, right), merge};
  }

 private:
  static std::uint64_t pair_of(TokenId left, TokenId right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  }
  std::size_t slot_of(std::uint64_t pair) const {
    const std::size_t mask = slots_.size() - 1;
    std::uint64_t mixed = pair * 0x9e3779b97f4a7c15u;
    mixed ^= mixed >> 32;
    std::size_t slot = static_cast<std::size_t>(mixed) & mask;
    while (slots_[slot].pair != free_slot && slots_[slot].pair != pair) slot = (slot + 1) & mask;
    return slot;
  }
  void grow() {
    std::vector<Slot> old(slots_.size() < 64 ? 64 : slots_.size() * 2, Slot{free_slot, {}});
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.pair != free_slot) slots_[slot_of(slot.pair)] = slot;
  }
};

}  // namespace temper
