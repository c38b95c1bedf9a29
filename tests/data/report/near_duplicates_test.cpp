// SPDX-License-Identifier: MIT
// Estimated against known similarity: rows of random tokens, copies with a few of them changed.
#include "temper/data/report/near_duplicates.hpp"
#include <doctest/doctest.h>
#include "temper/data/report/exact_duplicates.hpp"

#include "temper/core/random.hpp"

namespace temper::near_duplicates_test {

Row random_row(std::uint64_t seed, std::size_t length) {
  const Random random{seed, random_site("near duplicates test"), 0};
  Row row;
  for (std::size_t i = 0; i < length; ++i) row.tokens.push_back(static_cast<TokenId>(random.uniform(i) * 30000));
  row.labels.assign(length, 1);
  return row;
}
Dataset random_rows(std::uint64_t first, std::size_t count, std::size_t length) {
  Dataset dataset;
  dataset.files = {"a"};
  for (std::size_t i = 0; i < count; ++i) dataset.rows.push_back(random_row(first + i, length));
  return dataset;
}
std::vector<NearDuplicates::Pair> pairs_of(const Dataset& dataset) {
  return NearDuplicates::among(dataset, ExactDuplicates::firsts(dataset));
}

TEST_CASE("near duplicates: different rows are none") {
  CHECK(pairs_of(random_rows(1, 500, 100)).empty());
  CHECK(pairs_of(random_rows(1, 500, 3)).empty());
  CHECK(pairs_of(random_rows(1, 1, 100)).empty());
  CHECK(pairs_of({}).empty());
}

TEST_CASE("near duplicates: copies with a token changed are found with the row they resemble") {
  Dataset dataset = random_rows(1, 200, 200);
  for (std::size_t i = 0; i < 50; ++i) {
    Row copy = dataset.rows[i];
    copy.tokens[40 + i] = 31000;
    dataset.rows.push_back(copy);
  }
  const auto pairs = pairs_of(dataset);
  CHECK(pairs.size() >= 48);
  for (const auto& pair : pairs) CHECK(pair.row == pair.earlier + 200);
}

TEST_CASE("near duplicates: rows that share half are none, and equal rows are left to the exact search") {
  Dataset dataset = random_rows(1, 100, 200);
  for (std::size_t i = 0; i < 50; ++i) {
    Row half = random_row(1000 + i, 200);
    std::copy_n(dataset.rows[i].tokens.begin(), 100, half.tokens.begin());
    dataset.rows.push_back(half);
    dataset.rows.push_back(dataset.rows[i]);
  }
  CHECK(pairs_of(dataset).empty());
}

TEST_CASE("near duplicates: what all rows share, such as a system prompt, makes them no duplicates") {
  const Row prompt = random_row(5, 400);
  Dataset dataset = random_rows(10, 100, 20);
  for (Row& row : dataset.rows) row.tokens.insert(row.tokens.begin(), prompt.tokens.begin(), prompt.tokens.end());
  CHECK(pairs_of(dataset).size() <= 1);
}

}  // namespace temper::near_duplicates_test
