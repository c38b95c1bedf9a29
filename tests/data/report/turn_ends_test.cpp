// SPDX-License-Identifier: MIT
// Whether rows teach an end, and begin once, by their ids and labels alone.
#include "temper/data/report/turn_ends.hpp"
#include <doctest/doctest.h>
#include "support/row_files.hpp"

namespace temper::turn_ends_test {

TurnEnds seen(std::vector<TokenId> tokens, std::vector<std::uint8_t> labels, bool truncated = false) {
  Dataset dataset;
  dataset.files = {"a.jsonl"};
  dataset.rows.resize(1);
  dataset.rows[0].tokens = std::move(tokens);
  dataset.rows[0].labels = std::move(labels);
  dataset.rows[0].truncated = truncated;
  TurnEnds ends(testing::row_tokenizer());
  ends.see(dataset, view_of(dataset, 0));
  return ends;
}

TEST_CASE("turn ends: an end counts where it is learned, not where it only stands") {
  const TokenId eos = *testing::row_tokenizer().eos(), word = 40;
  CHECK(seen({word, word, eos}, {0, 1, 1}).without_end().count() == 0);
  CHECK(seen({word, eos, word}, {0, 1, 0}).without_end().count() == 0);
  const TurnEnds open = seen({word, word, eos}, {0, 1, 0});
  CHECK(open.without_end().first() == std::vector<std::string>{"a.jsonl:1"});
  CHECK(open.cut() == 0);
  CHECK(seen({word, word}, {0, 1}, true).cut() == 1);
}

TEST_CASE("turn ends: another special token is an end of its own kind") {
  const Tokenizer& tokenizer = testing::row_tokenizer();
  const AddedToken* other = nullptr;
  for (const AddedToken& token : tokenizer.added_tokens()) {
    const auto ends = tokenizer.end_ids();
    if (token.special && std::find(ends.begin(), ends.end(), token.id) == ends.end()) other = &token;
  }
  REQUIRE(other);
  const TurnEnds ends = seen({40, 41, other->id}, {0, 1, 1});
  CHECK(ends.without_end().count() == 0);
  CHECK(ends.other_end().count() == 1);
  CHECK(ends.other_token() == other->content);
}

TEST_CASE("turn ends: two begin tokens at the start, on either side of a pair") {
  const TokenId bos = *testing::row_tokenizer().bos(), eos = *testing::row_tokenizer().eos();
  CHECK(seen({bos, bos, eos}, {0, 0, 1}).begun_twice().count() == 1);
  CHECK(seen({bos, 40, bos, eos}, {0, 0, 0, 1}).begun_twice().count() == 0);
  Dataset dataset;
  dataset.files = {"a.jsonl"};
  dataset.preferences.resize(1);
  dataset.preferences[0].chosen = {{bos, eos}, {0, 1}};
  dataset.preferences[0].rejected = {{bos, bos, eos}, {0, 0, 1}};
  TurnEnds ends(testing::row_tokenizer());
  ends.see(dataset, view_of(dataset, 0));
  CHECK(ends.begun_twice().count() == 1);
  CHECK(ends.without_end().count() == 0);
}

}  // namespace temper::turn_ends_test
