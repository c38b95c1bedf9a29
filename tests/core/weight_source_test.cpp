// SPDX-License-Identifier: MIT
#include "temper/core/weight_source.hpp"

#include <doctest/doctest.h>

namespace weight_source_test {

using namespace temper;

TEST_CASE("weight source: a name is a module's whole path or its last words") {
  CHECK(names_module("model.layers.1.mlp.up_proj", "up_proj"));
  CHECK(names_module("model.layers.1.mlp.up_proj", "mlp.up_proj"));
  CHECK(names_module("lm_head", "lm_head"));
  CHECK_FALSE(names_module("model.layers.1.mlp.up_proj", "p_proj"));
  CHECK_FALSE(names_module("up_proj", "mlp.up_proj"));
  CHECK(names_module("lm_head", std::vector<std::string>{"norm", "lm_head"}));
  CHECK_FALSE(names_module("lm_head", std::vector<std::string>{}));
}

TEST_CASE("weight source: shapes are shown in brackets, and a tensor is dense unless it says otherwise") {
  CHECK(shape_text(std::vector<Index>{3, 2}) == "[3, 2]");
  CHECK(shape_text(std::vector<Index>{}) == "[]");
  CHECK(StoredTensor{Element::f32, {2}, nullptr}.codes.coding == Coding::dense);
}

}  // namespace weight_source_test
