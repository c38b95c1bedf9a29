// SPDX-License-Identifier: MIT
#include "temper/io/json_fields.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"

namespace json_fields_test {

using namespace temper;
using test::code_of;
using test::thrown_by;

const JsonSource source{"config.json"};
const Json fields = parse_json(
    R"({"i":12,"n":null,"big":18446744073709551615,"f":1.5,"one":1.0,"b":true,"s":"x","o":{},"a":[]})", "config.json");

TEST_CASE("json fields: values of the right type are given") {
  CHECK(require_integer(fields, "i", source, 0, 12) == 12);
  CHECK(require_number(fields, "i", source) == 12.0);
  CHECK(require_number(fields, "f", source) == 1.5);
  CHECK(require_boolean(fields, "b", source));
  CHECK(require_string(fields, "s", source) == "x");
  CHECK(require_object(fields, "o", source).empty());
  CHECK(require_array(fields, "a", source).empty());
  CHECK(find_integer(fields, "i", source, 0, 99) == 12);
  CHECK(find_string(fields, "s", source) == "x");
  CHECK(find_boolean(fields, "b", source) == true);
  CHECK(find_number(fields, "f", source) == 1.5);
}

TEST_CASE("json fields: missing and null are nothing, or an error where the field is required") {
  for (const char* key : {"n", "absent"}) {
    CHECK(!find_integer(fields, key, source, 0, 1));
    CHECK(!find_string(fields, key, source));
    CHECK(code_of([&] { require_integer(fields, key, source, 0, 1); }) == "json.missing_field");
  }
}

TEST_CASE("json fields: no type stands for another") {
  for (const char* key : {"f", "one", "b", "s", "o", "a", "big"})
    CHECK_MESSAGE(code_of([&] { require_integer(fields, key, source, -1, 99); }) == "json.field", key);
  for (const char* key : {"b", "s", "o", "a"})
    CHECK(code_of([&] { require_number(fields, key, source); }) == "json.field");
  for (const char* key : {"i", "s"}) CHECK(code_of([&] { require_boolean(fields, key, source); }) == "json.field");
  for (const char* key : {"i", "b"}) CHECK(code_of([&] { require_string(fields, key, source); }) == "json.field");
  CHECK(code_of([&] { require_object(fields, "a", source); }) == "json.field");
  CHECK(code_of([&] { require_array(fields, "o", source); }) == "json.field");
  CHECK(code_of([&] { find_integer(fields, "s", source, 0, 9); }) == "json.field");
}

TEST_CASE("json fields: integers outside their range are refused") {
  CHECK(code_of([] { require_integer(fields, "i", source, 13, 20); }) == "json.field");
  CHECK(code_of([] { require_integer(fields, "i", source, 0, 11); }) == "json.field");
}

TEST_CASE("json fields: the message names source, key, value and what was expected") {
  const auto thrown = thrown_by([] { require_integer(fields, "s", JsonSource{"r.json", Fault::usage}, 1, 9); });
  CHECK(thrown.message == "temper: r.json: 's' is \"x\"; expected an integer from 1 to 9");
  CHECK(thrown.fault == Fault::usage);
  CHECK(code_of([] { find_field(Json(3), "k", source); }) == "json.field");
}

}  // namespace json_fields_test
