// SPDX-License-Identifier: MIT
#include "temper/data/micro_batch.hpp"

#include <doctest/doctest.h>

namespace micro_batch_test {

using namespace temper;

TEST_CASE("micro batch: a label of a token becomes a target one position earlier") {
  MicroBatch batch;
  batch.add(std::vector<TokenId>{5, 6, 7}, std::vector<std::uint8_t>{0, 0, 1});
  batch.add(std::vector<TokenId>{8, 9}, std::vector<std::uint8_t>{0, 1});
  CHECK(batch.tokens == std::vector<TokenId>{5, 6, 7, 8, 9});
  CHECK(batch.targets == std::vector<TokenId>{6, 7, 0, 9, 0});
  CHECK(batch.supervised == std::vector<std::uint8_t>{0, 1, 0, 1, 0});
  CHECK(batch.document_starts == std::vector<Index>{0, 3, 5});
  CHECK(batch.supervised_tokens() == 2);
  const BatchShape expected{.tokens = 5, .documents = 2, .supervised = 2, .longest = 3};
  CHECK(shape_of(batch.host()) == expected);
}

TEST_CASE("micro batch: the first token's label is nobody's prediction") {
  MicroBatch batch;
  batch.add(std::vector<TokenId>{5}, std::vector<std::uint8_t>{1});
  batch.add(std::vector<TokenId>{6, 7}, std::vector<std::uint8_t>{1, 0});
  CHECK(batch.supervised_tokens() == 0);
}

TEST_CASE("micro batch: an empty row and a row with a label too few are refused") {
  MicroBatch batch;
  CHECK_THROWS_WITH_AS(batch.add(std::vector<TokenId>{}, std::vector<std::uint8_t>{}),
                       doctest::Contains("a row has 0 tokens and 0 labels"), Error);
  CHECK_THROWS_WITH_AS(batch.add(std::vector<TokenId>{1, 2}, std::vector<std::uint8_t>{0}),
                       doctest::Contains("a row has 2 tokens and 1 labels"), Error);
  CHECK(batch.tokens.empty());
}

}  // namespace micro_batch_test
