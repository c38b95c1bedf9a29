// SPDX-License-Identifier: MIT
#include "temper/backend/dynamic_map.hpp"

#include <cstring>

#include "support/recorded_steps.hpp"

namespace dynamic_map_test {

using namespace temper_test;

void compare(const char* name, const DynamicMap& map) {
  const TensorInfo* const expected = recorded_steps().find(name);
  REQUIRE(expected);
  REQUIRE(expected->bytes.size() == sizeof(map.value));
  CHECK(std::memcmp(expected->bytes.data(), map.value.data(), sizeof(map.value)) == 0);
  CHECK(std::is_sorted(map.value.begin(), map.value.end()));
  CHECK(std::is_sorted(map.midpoint.begin(), map.midpoint.end()));
}

TEST_CASE("dynamic map: the numbers are those of bitsandbytes' create_dynamic_map, bit for bit") {
  compare("dynamic_map.both", dynamic_map<Signs::both>);
  compare("dynamic_map.positive", dynamic_map<Signs::positive>);
}

TEST_CASE("dynamic map: blocks of 256, the last one shorter") {
  CHECK(code_blocks(0) == 0);
  CHECK(code_blocks(1) == 1);
  CHECK(code_blocks(256) == 1);
  CHECK(code_blocks(257) == 2);
}

}  // namespace dynamic_map_test
