// SPDX-License-Identifier: MIT
#include "temper/data/merge_table.hpp"
#include <doctest/doctest.h>

namespace merge_table_test {

using namespace temper;

TEST_CASE("merge_table: it finds what was set last") {
  MergeTable table;
  for (TokenId i = 0; i < 2000; ++i) table.set(i, i / 3, {static_cast<std::uint32_t>(i), i});
  table.set(7, 2, {99, 98});
  for (TokenId i = 0; i < 2000; ++i) {
    const Merge* const found = table.find(i, i / 3);
    REQUIRE(found != nullptr);
    CHECK(found->into == (i == 7 ? 98 : i));
    CHECK(table.find(i, i / 3 + 1) == nullptr);
  }
}

}  // namespace merge_table_test
