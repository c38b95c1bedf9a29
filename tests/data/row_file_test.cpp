// SPDX-License-Identifier: MIT
// Reading rows: lines and arrays, where each stands, and what is refused.
#include "temper/data/row_file.hpp"
#include <doctest/doctest.h>

#include "support/byte_steps.hpp"

namespace temper::row_file_test {

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
  CHECK(refused("[{\"a\": 1},\n {\"b\": 1, \"b\": 2}]").starts_with("temper: train.jsonl:2:11: key 'b' stands twice"));
  CHECK(refused("{\"a\": 1").starts_with("temper: train.jsonl:1:"));
}

TEST_CASE("row file: JSON that is indented, and an array with a row missing, are told from a file that was cut") {
  for (const char* text : {"{\n \"a\": 1\n}\n", "{\"a\": 1, \n\"b\": 2}\n", "{\"a\": [\n1]}\n"})
    CHECK(refused(text).starts_with("temper: train.jsonl:1: the object does not end on its line; expected one object"));
  CHECK(refused("{\"a\": 1,").find("was the file cut?") != std::string::npos);
  CHECK(refused("[{\"a\": 1},]").starts_with("temper: train.jsonl:1:11: not valid JSON: a row is missing"));
  CHECK(refused("[{\"a\": 1}, ").find("the text ends inside of an array") != std::string::npos);
}

TEST_CASE("row file: what is compressed, or a table, under a name of text is told by its first bytes") {
  CHECK(refused("\x1f\x8b\x08").find("train.jsonl: is a gzip file by its first bytes") != std::string::npos);
  CHECK(refused("\x28\xb5\x2f\xfd").find("let its name end with .zst") != std::string::npos);
  CHECK(refused("PAR1").find("let its name end with .parquet") != std::string::npos);
  ByteWindow inside(std::make_unique<TextBytes>("\x28\xb5\x2f\xfd"), "train.jsonl.gz", 3);
  CHECK_THROWS_WITH_AS(
      skip_byte_order_mark(inside),
      "temper: train.jsonl.gz: what is compressed in it is a zstd file again; expected text; unpack it "
      "once",
      Error);
}

TEST_CASE("row file: UTF-16 is refused by its name") {
  CHECK(refused(std::string_view("\xff\xfe{\0", 4)).find("train.jsonl: begins with the mark of UTF-16") !=
        std::string::npos);
  CHECK(refused(std::string_view("\xfe\xff\0{", 4)).find("UTF-16") != std::string::npos);
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

TEST_CASE("row file: rows are read through windows of every size") {
  std::string lines, array = "[";
  for (int i = 0; i < 300; ++i) {
    const std::string row =
        "{\"i\": " + std::to_string(i) + ", \"s\": \"" + std::string(static_cast<std::size_t>(i), '[') + "\\\"\"}";
    lines += row + (i % 3 == 0 ? "\r\n" : "\n");
    array += (i == 0 ? "" : ",") + row;
  }
  array += "] \n";
  for (const std::size_t step : {1u, 2u, 7u, 100u}) {
    for (const std::string* text : {&lines, &array}) {
      JsonRows rows(std::make_unique<testing::ByteSteps>(*text, step), "train.jsonl");
      const std::vector<Record> all = all_rows(rows);
      REQUIRE(all.size() == 300);
      CHECK(all[299].fields["s"].get<std::string>().size() == 300);
      CHECK(all[299].line == (text == &lines ? 300 : 1));
      CHECK(all[17].fields["i"] == 17);
    }
  }
}

TEST_CASE("row file: an array that does not end, or goes on behind its end, is refused") {
  CHECK(refused("[{\"a\": 1}").find("train.jsonl:1:10: not valid JSON: the text ends inside of an array") !=
        std::string::npos);
  CHECK(refused("[{\"a\": 1}]\n ,").find("train.jsonl:2:2: not valid JSON: something follows the array") !=
        std::string::npos);
  CHECK(refused("[{\"a\": 1}] []").find("something follows the array") != std::string::npos);
  CHECK(refused("[{\"a\": 1},]").starts_with("temper: train.jsonl:1:"));
  CHECK(refused("[{\"a\": 1} {\"b\": 2}]").starts_with("temper: train.jsonl:1:11: "));
  CHECK(refused("[{\"a\": 1},\n  {\"b\": }]").starts_with("temper: train.jsonl:2:9: "));
  CHECK(refused("[{\"a\": [1}]").starts_with("temper: train.jsonl:1:"));
  CHECK(parse_rows("[]", "a.json").empty());
  CHECK(parse_rows(" [ ] ", "a.json").empty());
  CHECK(parse_rows("", "a.json").empty());
}

}  // namespace temper::row_file_test
