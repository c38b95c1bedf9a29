// SPDX-License-Identifier: MIT
// Rows that equal an earlier one, token for token. Rows are sorted by hash; equal hashes are compared.
#pragma once
#include "temper/data/report/finding.hpp"
#include "temper/data/report/row_view.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace temper {

class ExactDuplicates {
 public:
  // For each row the first that equals it: itself, mostly.
  static std::vector<std::size_t> firsts(const Dataset& dataset) {
    std::vector<std::pair<std::uint64_t, std::size_t>> sorted(dataset.size());
    for (std::size_t i = 0; i < sorted.size(); ++i) sorted[i] = {hash_of(view_of(dataset, i)), i};
    std::sort(sorted.begin(), sorted.end());
    std::vector<std::size_t> first(dataset.size());
    for (std::size_t i = 0, run = 0; i < sorted.size(); ++i) {
      if (sorted[i].first != sorted[run].first) run = i;
      const std::size_t row = sorted[i].second, earliest = sorted[run].second;
      first[row] = same_tokens(view_of(dataset, row), view_of(dataset, earliest)) ? earliest : row;
    }
    return first;
  }
};

}  // namespace temper
