// SPDX-License-Identifier: MIT
// Lengths of the sides of pairs: which is the longer, in how many pairs and in the mean, and when that is a bias.
#include "temper/data/report/preference_pairs.hpp"
#include <doctest/doctest.h>

namespace temper::preference_pairs_test {

// Pairs of so many learned tokens, behind a prompt of two.
Dataset pairs_of(const std::vector<std::pair<Index, Index>>& lengths) {
  Dataset dataset;
  dataset.files = {"a.jsonl"};
  for (const auto& [chosen, rejected] : lengths) {
    PreferenceRow row;
    const auto fill = [](TokenSequence& side, Index learned, TokenId token) {
      side.tokens.assign(static_cast<std::size_t>(learned) + 2, token);
      side.labels.assign(side.tokens.size(), 1);
      side.labels[0] = side.labels[1] = 0;
    };
    fill(row.chosen, chosen, 5);
    fill(row.rejected, rejected, chosen == rejected ? 5 : 6);
    dataset.preferences.push_back(row);
  }
  return dataset;
}

TEST_CASE("preference pairs: learned tokens are counted, the prompt is not, and equal sides have a place") {
  const PairReport report = report_on_pairs(pairs_of({{4, 2}, {1, 3}, {2, 2}, {9, 1}}));
  CHECK(report.pairs == 4);
  CHECK(report.chosen_longer == 2);
  CHECK(report.rejected_longer == 1);
  CHECK(report.chosen_mean == 4);
  CHECK(report.rejected_mean == 2);
  CHECK(report.equal.count() == 1);
  CHECK(!report.is_biased());  // too few
  CHECK(report_on_pairs({}).chosen_mean == 0);
}

TEST_CASE("preference pairs: a bias needs the same side to be longer in most pairs and in the mean") {
  const auto biased = [](int chosen_longer, std::pair<Index, Index> then, int others, std::pair<Index, Index> other) {
    std::vector<std::pair<Index, Index>> lengths(static_cast<std::size_t>(chosen_longer), then);
    lengths.resize(lengths.size() + static_cast<std::size_t>(others), other);
    return report_on_pairs(pairs_of(lengths)).is_biased();
  };
  CHECK(biased(15, {12, 10}, 5, {12, 10}));
  CHECK(biased(15, {14, 10}, 5, {10, 11}));
  CHECK(!biased(14, {14, 10}, 6, {10, 11}));   // not in three quarters
  CHECK(!biased(20, {11, 10}, 0, {0, 0}));     // by less than a fifth
  CHECK(!biased(16, {11, 10}, 4, {10, 500}));  // mostly the one, in the mean the other
  CHECK(biased(4, {11, 10}, 16, {10, 50}));
}

}  // namespace temper::preference_pairs_test
