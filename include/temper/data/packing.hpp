// SPDX-License-Identifier: MIT
// Packs rows into units of at most so many tokens, first fit in training order: each row goes into the first pack that
// has room, else into a new one. No row is split or dropped, and rows stay apart as documents. A tree over the packs'
// room finds the first fit in logarithmic time.
#pragma once
#include "temper/core/error.hpp"
#include "temper/core/types.hpp"

#include <algorithm>
#include <span>
#include <vector>

namespace temper {

// The rows of each pack, as positions in 'lengths'.
inline std::vector<std::vector<Index>> pack_first_fit(std::span<const Index> lengths, Index capacity) {
  std::size_t leaves = 1;
  while (leaves < lengths.size()) leaves *= 2;
  std::vector<Index> room(2 * leaves, capacity);  // room[1] is the root; a leaf's room is its pack's
  std::vector<std::vector<Index>> packs;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    require(lengths[i] <= capacity, Fault::usage, "packing.length", "a row of {} tokens does not fit into packs of {}",
            lengths[i], capacity);
    std::size_t node = 1;
    while (node < leaves) node = room[2 * node] >= lengths[i] ? 2 * node : 2 * node + 1;
    const std::size_t pack = node - leaves;
    if (pack == packs.size()) packs.emplace_back();
    packs[pack].push_back(static_cast<Index>(i));
    room[node] -= lengths[i];
    for (node /= 2; node > 0; node /= 2) room[node] = std::max(room[2 * node], room[2 * node + 1]);
  }
  return packs;
}

}  // namespace temper
