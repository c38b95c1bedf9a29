// SPDX-License-Identifier: MIT
// CSV as RFC 4180 has it, and each way in which a file can be wrong, with file and line.
#include "temper/data/table/csv.hpp"
#include <doctest/doctest.h>

namespace temper::csv_test {

std::vector<Record> rows_of(std::string_view text, char separator = ',') {
  CsvRows rows(std::make_unique<TextBytes>(text), "a.csv", separator);
  return all_rows(rows);
}

std::string refused(std::string_view text) {
  try {
    rows_of(text);
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::data);
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST_CASE("csv: fields are text, in the header's order, and rows know their line") {
  const auto rows = rows_of("prompt,completion,id\nP,C,1\n\n\nQ,,02\n");
  REQUIRE(rows.size() == 2);
  CHECK(to_text(rows[0].fields) == R"({"prompt":"P","completion":"C","id":"1"})");
  CHECK(to_text(rows[1].fields) == R"({"prompt":"Q","completion":"","id":"02"})");
  CHECK(rows[0].line == 2);
  CHECK(rows[1].line == 5);
  CHECK(rows[1].cells == Cells::text);
}

TEST_CASE("csv: quotes hold separators, newlines and doubled quotes; lines may end with a carriage return") {
  const auto rows = rows_of("\xef\xbb\xbf\"a\",b\r\n\"x,\"\"y\"\"\r\nz\",5\" pipe\r\n\"\",last");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].fields["a"] == "x,\"y\"\r\nz");
  CHECK(rows[0].fields["b"] == "5\" pipe");
  CHECK(rows[1].fields["a"] == "");
  CHECK(rows[1].fields["b"] == "last");
  CHECK(rows[1].line == 4);
}

TEST_CASE("csv: tabs separate where the file says so") {
  const auto rows = rows_of("a\tb\n1,2\t\"3\t4\"\n", '\t');
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].fields["a"] == "1,2");
  CHECK(rows[0].fields["b"] == "3\t4");
}

TEST_CASE("csv: an empty line is no row, an empty field in quotes is one") {
  const auto rows = rows_of("text\n\"\"\n\nx\n");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].fields["text"] == "");
}

TEST_CASE("csv: a column without a name, as pandas writes its index, is a field like others") {
  CHECK(rows_of(",text\n0,a\n")[0].fields["text"] == "a");
}

TEST_CASE("csv: what is wrong is said with file and line") {
  CHECK(contains(refused("a,b\n1,2\n3\n"), "a.csv:3: the row has 1 fields but the header names 2"));
  CHECK(contains(refused("a,b\n\"x\ny\",2\n1,2,3\n"), "a.csv:4: the row has 3 fields but the header names 2"));
  CHECK(contains(refused("a,b\n1,\"2\n\n"), "a.csv:2: the quote that opens field 2 is never closed"));
  CHECK(contains(refused("a,b\n\"1\"x,2\n"), "a.csv:2: something follows the closing quote of field 1"));
  CHECK(contains(refused("a,b\n1\r2,3\n"), "a.csv:2: a carriage return without a newline, in field 1"));
  CHECK(contains(refused("a,b,a\n"), "a.csv:1: the header names 'a' twice"));
  CHECK(contains(refused("\n\n"), "a.csv: has no line; expected a header"));
  CHECK(contains(refused("text\nok\na\xff"
                         "b\n"),
                 "a.csv:3: field 'text' is not valid UTF-8 (byte 2 of it is 0xff)"));
  CHECK(contains(refused(std::string(5000, ',') + "\n"), "a.csv:1: the row has more than 4096 fields"));
}

}  // namespace temper::csv_test
