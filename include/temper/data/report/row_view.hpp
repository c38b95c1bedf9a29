// SPDX-License-Identifier: MIT
// A row of any format as its one or two sequences, so that what looks at tokens alone is written once.
#pragma once
#include "temper/data/dataset.hpp"

#include <algorithm>
#include <span>
#include <string>

namespace temper {

struct RowView {
  struct Part {
    std::span<const TokenId> tokens;
    std::span<const std::uint8_t> labels;  // empty where nothing is predicted
  };
  Part parts[2];
  std::size_t count = 1;
  Index file = 0, line = 1;
  bool truncated = false;

  std::span<const Part> sequences() const { return {parts, count}; }
  friend bool same_tokens(const RowView& a, const RowView& b) {
    return std::equal(a.parts, a.parts + a.count, b.parts, b.parts + b.count,
                      [](const Part& x, const Part& y) { return std::ranges::equal(x.tokens, y.tokens); });
  }
};

inline RowView view_of(const Dataset& dataset, std::size_t row) {
  if (!dataset.preferences.empty()) {
    const PreferenceRow& pair = dataset.preferences[row];
    return {{{pair.chosen.tokens, pair.chosen.labels}, {pair.rejected.tokens, pair.rejected.labels}},
            2,
            pair.file,
            pair.line,
            pair.truncated};
  }
  if (!dataset.classifications.empty()) {
    const ClassificationRow& classified = dataset.classifications[row];
    return {{{classified.tokens, {}}, {}}, 1, classified.file, classified.line, classified.truncated};
  }
  const Row& plain = dataset.rows[row];
  return {{{plain.tokens, plain.labels}, {}}, 1, plain.file, plain.line, plain.truncated};
}

}  // namespace temper
