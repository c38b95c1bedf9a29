// SPDX-License-Identifier: MIT
#include "temper/core/error.hpp"

#include <doctest/doctest.h>

#include <string>

namespace error_test {

using namespace temper;

TEST_CASE("error: a failure carries its sentence, code and fault") {
  try {
    fail(Fault::data, "safetensors.header_too_long", "header says {} bytes but the file has {}", 12, 8);
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "temper: header says 12 bytes but the file has 8");
    CHECK(error.code() == "safetensors.header_too_long");
    CHECK(error.fault() == Fault::data);
    return;
  }
  FAIL("nothing was thrown");
}

TEST_CASE("error: it can be caught as a standard exception") {
  CHECK_THROWS_AS(fail(Fault::usage, "test.code", "sentence"), std::runtime_error);
}

TEST_CASE("error: require throws only when its condition is false") {
  CHECK_NOTHROW(require(true, Fault::usage, "test.code", "never seen {}", 1));
  CHECK_THROWS_AS(require(false, Fault::numeric, "test.code", "loss is {} at step {}", 0.5, 3), Error);
}

TEST_CASE("error: values may hold braces and non-ASCII text") {
  try {
    require(false, Fault::data, "test.code", "token '{}' is unknown", "{\xc4\xa0th}");
  } catch (const Error& error) { CHECK(std::string(error.what()) == "temper: token '{\xc4\xa0th}' is unknown"); }
}

}  // namespace error_test
