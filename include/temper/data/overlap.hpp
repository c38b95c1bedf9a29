// SPDX-License-Identifier: MIT
// Finds validation rows that training has too, equal in every token. Labels do not matter: a text that is trained on
// with another label is known as well.
#pragma once
#include "temper/data/report/row_view.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace temper {

inline constexpr std::size_t max_overlap_places = 5;

class OverlapSearch {
 public:
  // A row is compared with the first training row of its hash alone, so that equal rows in any number cost nothing.
  static Overlap between(const Dataset& train, const Dataset& validation) {
    Overlap overlap;
    if (validation.size() == 0) return overlap;
    std::vector<std::pair<std::uint64_t, std::size_t>> known(train.size());
    for (std::size_t i = 0; i < known.size(); ++i) known[i] = {hash_of(view_of(train, i)), i};
    std::sort(known.begin(), known.end());
    for (std::size_t i = 0; i < validation.size(); ++i) {
      const RowView row = view_of(validation, i);
      const std::uint64_t hash = hash_of(row);
      const auto found = std::lower_bound(known.begin(), known.end(), std::pair(hash, std::size_t{0}));
      if (found == known.end() || found->first != hash) continue;
      const RowView first = view_of(train, found->second);
      if (!same_tokens(first, row)) continue;
      ++overlap.rows;
      if (overlap.places.size() < max_overlap_places)
        overlap.places.emplace_back(validation.place(row), train.place(first));
    }
    return overlap;
  }
};

}  // namespace temper
