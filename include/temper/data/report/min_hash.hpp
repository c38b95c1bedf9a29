// SPDX-License-Identifier: MIT
// A signature of a set of shingles (5 tokens in a row) of which the share of equal places estimates the Jaccard
// similarity of two sets. One-permutation hashing (Li, Owen, Zhang 2012): a shingle's hash says its bin and its value
// there; an empty bin takes what the next full one has, mixed with the way to it (Shrivastava, Li 2014).
#pragma once
#include "temper/data/report/row_view.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace temper {

class MinHash {
 public:
  static constexpr std::size_t bins = 128, shingle_tokens = 5;
  using Values = std::array<std::uint32_t, bins>;

  // Calls use(hash) for each shingle of a row; a shorter sequence is one shingle.
  template <class Use>
  static void each_shingle(const RowView& row, const Use& use) {
    for (const RowView::Part& part : row.sequences()) {
      if (part.tokens.empty()) continue;
      const std::size_t width = std::min(shingle_tokens, part.tokens.size());
      for (std::size_t i = 0; i + width <= part.tokens.size(); ++i) {
        std::uint64_t hash = width;
        for (std::size_t k = 0; k < width; ++k)
          hash = (hash ^ static_cast<std::uint64_t>(part.tokens[i + k])) * 0x9e3779b97f4a7c15u;
        use(spread(hash));
      }
    }
  }

  // 'common', sorted, are shingles that nearly every row has, such as those of a system prompt: they say nothing. A row
  // that has no others is compared by them.
  static Values of(const RowView& row, const std::vector<std::uint64_t>& common) {
    Values values;
    values.fill(empty);
    bool any = false;
    each_shingle(row, [&](std::uint64_t hash) {
      if (!common.empty() && std::binary_search(common.begin(), common.end(), hash)) return;
      put(values, hash);
      any = true;
    });
    if (!any) each_shingle(row, [&](std::uint64_t hash) { put(values, hash); });
    densify(values);
    return values;
  }

 private:
  static constexpr std::uint32_t empty = std::numeric_limits<std::uint32_t>::max();

  static std::uint64_t spread(std::uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
  }
  static void put(Values& values, std::uint64_t hash) {
    std::uint32_t& least = values[hash % bins];
    least = std::min(least, static_cast<std::uint32_t>(hash >> 33));  // 31 bits: never 'empty'
  }
  static void densify(Values& values) {
    const Values found = values;
    if (std::all_of(found.begin(), found.end(), [](std::uint32_t v) { return v == empty; })) return;
    for (std::size_t i = 0; i < bins; ++i) {
      if (found[i] != empty) continue;
      std::size_t way = 1;
      while (found[(i + way) % bins] == empty) ++way;
      values[i] = found[(i + way) % bins] + static_cast<std::uint32_t>(way) * 0x9e3779b1u;
    }
  }
};

}  // namespace temper
