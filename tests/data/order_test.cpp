// SPDX-License-Identifier: MIT
// The order of rows: a permutation for every size, the same for the same seed and epoch, another for others.
#include "temper/data/order.hpp"
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

namespace temper::order_test {

std::vector<Index> listed(RowOrder::Kind kind, Index count, std::uint64_t seed, Index epoch) {
  const RowOrder order(kind, count, seed, epoch);
  std::vector<Index> rows;
  for (Index i = 0; i < count; ++i) rows.push_back(order[i]);
  return rows;
}

TEST_CASE("order: every row comes once, for every count") {
  for (const Index count : {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 100, 1000, 4097}) {
    std::vector<Index> rows = listed(RowOrder::Kind::shuffled, count, 42, 3);
    std::sort(rows.begin(), rows.end());
    CHECK(rows == listed(RowOrder::Kind::as_filed, count, 42, 3));
  }
}

TEST_CASE("order: depends on seed and epoch alone") {
  const auto rows = listed(RowOrder::Kind::shuffled, 100, 42, 0);
  CHECK(rows == listed(RowOrder::Kind::shuffled, 100, 42, 0));
  CHECK(rows != listed(RowOrder::Kind::shuffled, 100, 43, 0));
  CHECK(rows != listed(RowOrder::Kind::shuffled, 100, 42, 1));
  CHECK(rows != listed(RowOrder::Kind::as_filed, 100, 42, 0));
}

TEST_CASE("order: each row is about equally often first") {
  std::vector<int> first(10, 0);
  for (Index epoch = 0; epoch < 5000; ++epoch)
    ++first[static_cast<std::size_t>(RowOrder(RowOrder::Kind::shuffled, 10, 7, epoch)[0])];
  for (const int count : first) {  // 500 expected, a standard deviation of 21
    CHECK(count > 400);
    CHECK(count < 600);
  }
}

TEST_CASE("order: neighbours are not kept together") {
  const auto rows = listed(RowOrder::Kind::shuffled, 1000, 1, 0);
  int neighbours = 0, fixed = 0;
  for (std::size_t i = 0; i + 1 < rows.size(); ++i) neighbours += rows[i + 1] == rows[i] + 1;
  for (std::size_t i = 0; i < rows.size(); ++i) fixed += rows[i] == static_cast<Index>(i);
  CHECK(neighbours < 10);
  CHECK(fixed < 10);
}

TEST_CASE("order: a position outside is refused") {
  const Permutation none(0, Random{});
  CHECK_THROWS_AS(none[0], Error);
  const Permutation three(3, Random{});
  CHECK_THROWS_AS(three[3], Error);
  CHECK_THROWS_AS(three[-1], Error);
}

}  // namespace temper::order_test
