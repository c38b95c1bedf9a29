// SPDX-License-Identifier: MIT
// Rows that stand on both sides, of every format; labels do not matter, and the first few are placed.
#include "temper/data/overlap.hpp"
#include <doctest/doctest.h>

namespace temper::overlap_test {

template <class AnyRow>
AnyRow placed(AnyRow row, Index line) {
  row.line = line;
  return row;
}
Row row_of(std::vector<TokenId> tokens, Index line) {
  Row row;
  row.tokens = std::move(tokens);
  return placed(row, line);
}

TEST_CASE("overlap: equal rows are counted, each with the first training row that it equals") {
  Dataset train, validation;
  train.files = {"t.jsonl"};
  validation.files = {"v.jsonl"};
  CHECK(OverlapSearch::between(train, validation).rows == 0);
  train.rows = {row_of({1, 2}, 1), row_of({3}, 2), row_of({1, 2}, 3)};
  CHECK(OverlapSearch::between(train, validation).rows == 0);
  validation.rows = {row_of({1}, 1), row_of({1, 2}, 2), row_of({2, 1}, 3)};
  validation.rows[1].labels = {0, 1};
  const Overlap overlap = OverlapSearch::between(train, validation);
  CHECK(overlap.rows == 1);
  REQUIRE(overlap.places.size() == 1);
  CHECK(overlap.places[0] == std::pair<std::string, std::string>("v.jsonl:2", "t.jsonl:1"));
  for (Index i = 0; i < 20; ++i) validation.rows.push_back(row_of({3}, 4 + i));
  CHECK(OverlapSearch::between(train, validation).rows == 21);
  CHECK(OverlapSearch::between(train, validation).places.size() == max_overlap_places);
}

TEST_CASE("overlap: pairs are equal on both sides, classifications whatever their class") {
  Dataset train, validation;
  train.files = validation.files = {"a"};
  train.preferences.resize(1);
  train.preferences[0].chosen.tokens = {1};
  train.preferences[0].rejected.tokens = {2};
  validation.preferences = train.preferences;
  CHECK(OverlapSearch::between(train, validation).rows == 1);
  validation.preferences[0].rejected.tokens = {3};
  CHECK(OverlapSearch::between(train, validation).rows == 0);
  Dataset known, asked;
  known.files = asked.files = {"a"};
  known.classifications.resize(1);
  known.classifications[0].tokens = {1};
  known.classifications[0].classes = {0};
  asked.classifications = known.classifications;
  asked.classifications[0].classes = {1};
  CHECK(OverlapSearch::between(known, asked).rows == 1);
}

}  // namespace temper::overlap_test
