// SPDX-License-Identifier: MIT
// How an evaluated classification went, class by class: F1 = 2 right / (predicted + actual) of each class, the plain
// mean of it over classes (macro F1), and, of a single label a row, who was taken for whom.
#pragma once
#include <map>
#include <utility>
#include <vector>

#include "temper/core/types.hpp"

namespace temper {

struct ClassOutcome {
  Index right = 0, predicted = 0, actual = 0;

  Index seen() const { return predicted + actual; }
  double f1() const { return seen() > 0 ? 2.0 * static_cast<double>(right) / static_cast<double>(seen()) : 0; }
};

struct ClassTally {
  std::vector<ClassOutcome> counts;                     // one a class
  std::map<std::pair<Index, Index>, Index> confusions;  // (actual, predicted): rows; of a single label a row

  bool empty() const { return counts.empty(); }
  void add(Index actual, Index predicted) {
    ++confusions[{actual, predicted}];
    ++counts[static_cast<std::size_t>(actual)].actual;
    ++counts[static_cast<std::size_t>(predicted)].predicted;
    counts[static_cast<std::size_t>(actual)].right += actual == predicted;
  }
  ClassTally& operator+=(const ClassTally& other) {
    if (counts.size() < other.counts.size()) counts.resize(other.counts.size());
    for (std::size_t c = 0; c < other.counts.size(); ++c) {
      counts[c].right += other.counts[c].right;
      counts[c].predicted += other.counts[c].predicted;
      counts[c].actual += other.counts[c].actual;
    }
    for (const auto& [cell, rows] : other.confusions) confusions[cell] += rows;
    return *this;
  }
  // Over the classes that occur, in truth or as a prediction.
  double macro_f1() const {
    double sum = 0, classes = 0;
    for (const ClassOutcome& count : counts)
      if (count.seen() > 0) sum += count.f1(), classes += 1;
    return classes > 0 ? sum / classes : 0;
  }
};

}  // namespace temper
