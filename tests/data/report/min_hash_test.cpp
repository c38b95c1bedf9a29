// SPDX-License-Identifier: MIT
// The share of equal values estimates how much two rows have in common.
#include "temper/data/report/min_hash.hpp"
#include <doctest/doctest.h>

#include <cmath>

namespace temper::min_hash_test {

RowView view_of_tokens(const std::vector<TokenId>& tokens) {
  RowView row;
  row.parts[0].tokens = tokens;
  return row;
}
MinHash::Values values_of(const std::vector<TokenId>& tokens, const std::vector<std::uint64_t>& common = {}) {
  return MinHash::of(view_of_tokens(tokens), common);
}
double agreement(const MinHash::Values& a, const MinHash::Values& b) {
  double equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
  return equal / static_cast<double>(a.size());
}
std::vector<TokenId> run(TokenId from, TokenId to) {
  std::vector<TokenId> tokens;
  for (; from < to; ++from) tokens.push_back(from);
  return tokens;
}

TEST_CASE("min hash: agreement is the Jaccard similarity of shingles, about") {
  const auto whole = values_of(run(0, 2004));
  CHECK(agreement(whole, values_of(run(0, 2004))) == 1);
  CHECK(agreement(whole, values_of(run(5000, 7004))) < 0.05);
  for (const TokenId shift : {200, 500, 1000}) {
    const double shared = 2000 - shift, either = 2000 + shift;
    CHECK(std::abs(agreement(whole, values_of(run(shift, 2004 + shift))) - shared / either) < 0.15);
  }
}

TEST_CASE("min hash: short and empty rows have values too, and order matters") {
  CHECK(agreement(values_of({1, 2}), values_of({1, 2})) == 1);
  CHECK(agreement(values_of({1, 2}), values_of({2, 1})) < 0.1);
  CHECK(agreement(values_of({}), values_of({})) == 1);
}

TEST_CASE("min hash: common shingles are left out, unless a row has no others") {
  std::vector<std::uint64_t> common;
  MinHash::each_shingle(view_of_tokens(run(0, 500)), [&](std::uint64_t hash) { common.push_back(hash); });
  std::sort(common.begin(), common.end());
  std::vector<TokenId> one = run(0, 500), other = run(0, 500);
  for (const TokenId token : run(1000, 1100)) one.push_back(token);
  for (const TokenId token : run(2000, 2100)) other.push_back(token);
  CHECK(agreement(values_of(one), values_of(other)) > 0.5);
  CHECK(agreement(values_of(one, common), values_of(other, common)) < 0.1);
  CHECK(agreement(values_of(run(0, 500), common), values_of(run(0, 500))) == 1);
}

}  // namespace temper::min_hash_test
