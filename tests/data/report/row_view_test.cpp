// SPDX-License-Identifier: MIT
// Rows of every format as sequences: what is equal, and that equal ones have one hash.
#include "temper/data/report/row_view.hpp"
#include <doctest/doctest.h>

namespace temper::row_view_test {

PreferenceRow pair_of(std::vector<TokenId> chosen, std::vector<TokenId> rejected) {
  PreferenceRow row;
  row.chosen.tokens = std::move(chosen);
  row.rejected.tokens = std::move(rejected);
  row.line = 7;
  return row;
}

TEST_CASE("row view: a row has one sequence, a pair two, a classification no labels") {
  Dataset rows, pairs, classified;
  rows.rows.resize(1);
  rows.rows[0].tokens = {1, 2};
  rows.rows[0].labels = {0, 1};
  pairs.preferences = {pair_of({1}, {2})};
  classified.classifications.resize(1);
  classified.classifications[0].tokens = {1, 2};
  CHECK(view_of(rows, 0).sequences().size() == 1);
  CHECK(view_of(rows, 0).sequences()[0].labels.size() == 2);
  CHECK(view_of(pairs, 0).sequences().size() == 2);
  CHECK(view_of(pairs, 0).line == 7);
  CHECK(view_of(classified, 0).sequences()[0].labels.empty());
  CHECK(same_tokens(view_of(rows, 0), view_of(classified, 0)));
  CHECK(hash_of(view_of(rows, 0)) == hash_of(view_of(classified, 0)));
  CHECK(!same_tokens(view_of(rows, 0), view_of(pairs, 0)));
}

TEST_CASE("row view: where the first side of a pair ends makes a difference") {
  Dataset pairs;
  pairs.preferences = {pair_of({1, 2}, {3}), pair_of({1}, {2, 3}), pair_of({1, 2}, {3}), pair_of({3}, {1, 2}),
                       pair_of({}, {1, 2, 3})};
  CHECK(same_tokens(view_of(pairs, 0), view_of(pairs, 2)));
  CHECK(hash_of(view_of(pairs, 0)) == hash_of(view_of(pairs, 2)));
  for (const std::size_t other : {1u, 3u, 4u}) {
    CHECK(!same_tokens(view_of(pairs, 0), view_of(pairs, other)));
    CHECK(hash_of(view_of(pairs, 0)) != hash_of(view_of(pairs, other)));
  }
}

}  // namespace temper::row_view_test
