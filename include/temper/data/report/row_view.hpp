// SPDX-License-Identifier: MIT
// A row of any format as its one or two sequences, so that what looks at tokens alone is written once: whether two rows
// are equal, and a hash by which equal ones are found.
#pragma once
#include "temper/data/dataset.hpp"

#include <algorithm>
#include <cstdint>
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

// Equal for equal tokens; what is learned of them does not matter.
inline std::uint64_t hash_of(const RowView& row) {
  const auto mixed = [](std::uint64_t hash, std::uint64_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
  };
  std::uint64_t hash = 0;
  for (const RowView::Part& part : row.sequences()) {
    for (const TokenId token : part.tokens) hash = mixed(hash, static_cast<std::uint64_t>(token) + 1);
    hash = mixed(hash, 0);
  }
  return hash;
}

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
  if (!dataset.prompts.empty()) {
    const PromptRow& prompt = dataset.prompts[row];
    return {{{prompt.tokens, {}}, {}}, 1, prompt.file, prompt.line, prompt.truncated};
  }
  const Row& plain = dataset.rows[row];
  return {{{plain.tokens, plain.labels}, {}}, 1, plain.file, plain.line, plain.truncated};
}

}  // namespace temper
