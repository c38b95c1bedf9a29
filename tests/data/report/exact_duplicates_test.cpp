// SPDX-License-Identifier: MIT
#include "temper/data/report/exact_duplicates.hpp"
#include <doctest/doctest.h>

namespace temper::exact_duplicates_test {

using Firsts = std::vector<std::size_t>;

TEST_CASE("exact duplicates: each row knows the first that equals it; labels do not matter") {
  Dataset dataset;
  for (const std::vector<TokenId>& tokens : std::vector<std::vector<TokenId>>{{1, 2}, {1}, {1, 2}, {2, 1}, {1, 2}, {}})
    dataset.rows.push_back({tokens, std::vector<std::uint8_t>(tokens.size(), 0)});
  dataset.rows[2].labels[1] = 1;
  CHECK(ExactDuplicates::firsts(dataset) == Firsts{0, 1, 0, 3, 0, 5});
  CHECK(ExactDuplicates::firsts({}).empty());
}

TEST_CASE("exact duplicates: pairs are equal when both sides are, in their order") {
  Dataset dataset;
  const TokenSequence a{{1, 2}, {0, 1}}, b{{1, 3}, {0, 1}};
  dataset.preferences = {{a, b}, {b, a}, {a, b}};
  CHECK(ExactDuplicates::firsts(dataset) == Firsts{0, 1, 0});
}

}  // namespace temper::exact_duplicates_test
