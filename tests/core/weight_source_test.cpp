// SPDX-License-Identifier: MIT
#include "temper/core/weight_source.hpp"

#include <doctest/doctest.h>

namespace weight_source_test {

using namespace temper;

TEST_CASE("weight source: shapes are shown in brackets, and a tensor is dense unless it says otherwise") {
  CHECK(shape_text(std::vector<Index>{3, 2}) == "[3, 2]");
  CHECK(shape_text(std::vector<Index>{}) == "[]");
  CHECK(StoredTensor{Element::f32, {2}, nullptr}.codes.coding == Coding::dense);
}

}  // namespace weight_source_test
