// SPDX-License-Identifier: MIT
// Reading rows: lines and arrays, where each stands, and what is refused.
#include "temper/data/row_file.hpp"
#include <doctest/doctest.h>

namespace temper {
namespace {

std::string refused(std::string_view text) {
  try {
    parse_rows(text, "train.jsonl");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::data);
    return error.what();
  }
  return "";
}

TEST_CASE("row file: lines keep their numbers, blank ones are skipped") {
  const auto rows = parse_rows("\xef\xbb\xbf{\"a\": 1}\r\n\n  \n{\"a\": 2}", "train.jsonl");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].line == 1);
  CHECK(rows[1].line == 4);
  CHECK(rows[1].fields["a"] == 2);
}

TEST_CASE("row file: an array's elements have the line that they begin at") {
  const auto rows = parse_rows("\n[\n {\"a\": 1},\n\n {\"a\":\n 2}]\n", "train.json");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].line == 3);
  CHECK(rows[1].line == 5);
}

TEST_CASE("row file: what is not JSON, or no object, is named by line and column") {
  CHECK(refused("{\"a\": 1}\n{\"a\": }\n").starts_with("temper: train.jsonl:2:7"));
  CHECK(refused("{\"a\": 1}\n17\n").starts_with("temper: train.jsonl:2: the row is"));
  CHECK(refused("[{\"a\": 1},\n null]").starts_with("temper: train.jsonl:2: the row is null"));
  CHECK(
      refused("[{\"a\": 1},\n {\"b\": 1, \"b\": 2}]").starts_with("temper: train.jsonl:2:11: key '/1/b' stands twice"));
  CHECK(refused("{\"a\": 1").starts_with("temper: train.jsonl:1:"));
}

TEST_CASE("row file: text that is not Unicode is refused with file, line and field") {
  const std::string bytes = refused("{\"text\": \"fine\"}\n{\"id\": 1, \"text\": \"a\xff\"}\n");
  CHECK(bytes.starts_with("temper: train.jsonl:2:"));
  CHECK(bytes.find("text") != std::string::npos);
  CHECK(bytes.find("UTF-8") != std::string::npos);
  const std::string half = refused("{\"id\": 1, \"body\": \"a\\ud800\"}\n");
  CHECK(half.starts_with("temper: train.jsonl:1:"));
  CHECK(half.find("body") != std::string::npos);
}

TEST_CASE("row file: other kinds of files are refused by name") {
  for (const char* name : {"a.csv", "a.parquet", "a.jsonl.gz"}) {
    try {
      read_rows(name);
      FAIL("read");
    } catch (const Error& error) {
      CHECK(error.fault() == Fault::usage);
      CHECK(std::string(error.what()).find("not read yet") != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace temper
