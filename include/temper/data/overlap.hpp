// SPDX-License-Identifier: MIT
// Finds validation rows that training has too, equal in every token. Labels do not matter: a text that is trained on
// with another label is known as well.
#pragma once
#include "temper/data/dataset.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace temper {

inline constexpr std::size_t max_overlap_places = 5;

class OverlapSearch {
 public:
  static Overlap between(const Dataset& train, const Dataset& validation) {
    Overlap overlap;
    search(train, train.rows, validation, validation.rows, overlap);
    search(train, train.preferences, validation, validation.preferences, overlap);
    search(train, train.classifications, validation, validation.classifications, overlap);
    return overlap;
  }

 private:
  using Hash = std::uint64_t;

  static Hash mixed(Hash hash, Hash value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
  }
  static Hash hash_of(const std::vector<TokenId>& tokens, Hash hash = 0) {
    for (const TokenId token : tokens) hash = mixed(hash, static_cast<Hash>(token) + 1);
    return mixed(hash, 0);
  }
  static Hash hash_of(const Row& row) { return hash_of(row.tokens); }
  static Hash hash_of(const ClassificationRow& row) { return hash_of(row.tokens); }
  static Hash hash_of(const PreferenceRow& row) { return hash_of(row.rejected.tokens, hash_of(row.chosen.tokens)); }

  static bool equal(const Row& a, const Row& b) { return a.tokens == b.tokens; }
  static bool equal(const ClassificationRow& a, const ClassificationRow& b) { return a.tokens == b.tokens; }
  static bool equal(const PreferenceRow& a, const PreferenceRow& b) {
    return a.chosen.tokens == b.chosen.tokens && a.rejected.tokens == b.rejected.tokens;
  }

  // A row is compared with the first training row of its hash alone, so that equal rows in any number cost nothing.
  template <class AnyRow>
  static void search(const Dataset& train, const std::vector<AnyRow>& known, const Dataset& validation,
                     const std::vector<AnyRow>& rows, Overlap& overlap) {
    if (known.empty() || rows.empty()) return;
    std::vector<std::pair<Hash, std::size_t>> sorted(known.size());
    for (std::size_t i = 0; i < known.size(); ++i) sorted[i] = {hash_of(known[i]), i};
    std::sort(sorted.begin(), sorted.end());
    for (const AnyRow& row : rows) {
      const auto found = std::lower_bound(sorted.begin(), sorted.end(), std::pair(hash_of(row), std::size_t{0}));
      if (found == sorted.end() || !equal(known[found->second], row)) continue;
      ++overlap.rows;
      if (overlap.places.size() < max_overlap_places)
        overlap.places.emplace_back(validation.place(row), train.place(known[found->second]));
    }
  }
};

}  // namespace temper
