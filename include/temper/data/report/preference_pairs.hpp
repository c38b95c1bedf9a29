// SPDX-License-Identifier: MIT
// What a model could learn of preferences by counting: whether the chosen answers are longer. Also pairs that prefer
// nothing, because both sides are equal.
#pragma once
#include "temper/data/report/finding.hpp"
#include "temper/data/report/row_view.hpp"

#include <algorithm>

namespace temper {

struct PairReport {
  Index pairs = 0, chosen_longer = 0, rejected_longer = 0;
  double chosen_mean = 0, rejected_mean = 0;  // learned tokens of a side
  FoundPlaces equal;

  // A bias that is worth a word: of twenty pairs or more, three quarters with the same side longer, by a
  // fifth in the mean too.
  bool is_biased() const {
    const bool chosen = chosen_longer > rejected_longer;
    const double ratio =
        chosen ? chosen_mean / std::max(rejected_mean, 1.0) : rejected_mean / std::max(chosen_mean, 1.0);
    return pairs >= 20 && 4 * std::max(chosen_longer, rejected_longer) >= 3 * pairs && ratio >= 1.2;
  }
};

inline PairReport report_on_pairs(const Dataset& dataset) {
  PairReport report;
  for (const PreferenceRow& pair : dataset.preferences) {
    const auto learned = [](const TokenSequence& side) {
      return static_cast<Index>(std::count(side.labels.begin(), side.labels.end(), std::uint8_t{1}));
    };
    const Index chosen = learned(pair.chosen), rejected = learned(pair.rejected);
    ++report.pairs;
    report.chosen_longer += chosen > rejected;
    report.rejected_longer += rejected > chosen;
    report.chosen_mean += static_cast<double>(chosen);
    report.rejected_mean += static_cast<double>(rejected);
    if (pair.chosen.tokens == pair.rejected.tokens) report.equal.add(dataset.place(pair));
  }
  const auto count = static_cast<double>(std::max<Index>(report.pairs, 1));
  report.chosen_mean /= count;
  report.rejected_mean /= count;
  return report;
}

}  // namespace temper
