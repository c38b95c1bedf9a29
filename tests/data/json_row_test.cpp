// SPDX-License-Identifier: MIT
// The fast parser of rows agrees with the strict one wherever it does not give up, and gives up on every mistake.
#include "temper/data/json_row.hpp"
#include <doctest/doctest.h>

namespace temper::json_row_test {

bool parses(std::string_view text) {
  Json value;
  JsonRowParser parser;
  if (!parser.parse(text, value)) return false;
  CHECK(to_text(value) == to_text(parse_json(text, "row")));
  CHECK(value == parse_json(text, "row"));
  return true;
}

TEST_CASE("json row: well-formed values are those of the strict parser") {
  for (const char* text : {"{}",
                           "[]",
                           "  {\"a\" : 1 , \"b\":[ ] }\r",
                           "\"\"",
                           "null",
                           "[true, false, null]",
                           "0",
                           "-0",
                           "-12",
                           "999999999999999999",
                           "0.5",
                           "-1.5e3",
                           "1E-3",
                           "1e+2",
                           "123.456e-7",
                           "\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\"",
                           "\"\\u0041\\u00e9\\u4f60\\ud83d\\ude00\"",
                           "\"\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x98\x80 and plain text\"",
                           "{\"a\": {\"a\": {\"a\": [[{}], {\"b\": \"\"}]}}, \"\": 1}",
                           "\"1234567\\\"\"",
                           "\"12345678\\\"\"",
                           "\"\x7f\""})
    CHECK_MESSAGE(parses(text), text);
  Json negative;
  CHECK((JsonRowParser().parse("-5", negative) && negative.is_number_integer() && !negative.is_number_unsigned()));
  CHECK((JsonRowParser().parse("5", negative) && negative.is_number_unsigned()));
}

TEST_CASE("json row: it gives up on every mistake, and on what the strict parser has rules for") {
  for (const char* text : {"",
                           " ",
                           "{",
                           "[",
                           "[1",
                           "[1,",
                           "[1,]",
                           "[,1]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{1:1}",
                           "{} {}",
                           "01",
                           "-",
                           "1.",
                           ".5",
                           "1e",
                           "1e+",
                           "+1",
                           "nul",
                           "truex",
                           "\"",
                           "\"\\\"",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "\"\\ud800\\u0041\"",
                           "\"\\ud800x\"",
                           "\"\x01\"",
                           "\"\n\"",
                           "\"\xff\"",
                           "\"\xc3\"",
                           "\"\xed\xa0\x80\"",
                           "{\"a\": 1, \"a\": 2}",
                           "1000000000000000000",
                           "1e999",
                           "NaN",
                           "// x\n1"})
    CHECK_MESSAGE(!parses(text), text);
  CHECK(!parses(std::string(100, '[') + std::string(100, ']')));
  CHECK(parses(std::string(50, '[') + std::string(50, ']')));
  std::string wide = "{";
  for (int i = 0; i < 100; ++i) wide += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\": 1";
  CHECK(!parses(wide + "}"));
}

TEST_CASE("json row: a parser is used again after it gave up") {
  JsonRowParser parser;
  Json value;
  CHECK(!parser.parse("{\"a\": {\"b\": 1, \"c\": }", value));
  CHECK(parser.parse("{\"b\": 1}", value));
  CHECK(to_text(value) == "{\"b\":1}");
}

}  // namespace temper::json_row_test
