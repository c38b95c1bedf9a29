// SPDX-License-Identifier: MIT
#include "temper/io/json.hpp"

#include <doctest/doctest.h>

#include <ctime>
#include <limits>

#include "io/scratch.hpp"

namespace json_test {

using namespace temper;
using test::code_of;
using test::thrown_by;

TEST_CASE("json: objects keep the order of their file") {
  const std::string text = R"({"z":1,"a":[true,null,"x",-2,1.5],"m":{"k":{}}})";
  CHECK(to_text(parse_json(text, "f")) == text);
}

TEST_CASE("json: a key that stands twice is refused where it stands again") {
  const auto thrown = thrown_by([] { parse_json("{\"a\":1,\n \"b\":2, \"a\":3}", "f.json"); });
  CHECK(thrown.code == "json.duplicate_key");
  CHECK(thrown.message.starts_with("temper: f.json:2:9: key 'a'"));
  CHECK(code_of([] { parse_json(R"({"a":1,"\u0061":2})", "f"); }) == "json.duplicate_key");
  CHECK(code_of([] { parse_json(R"([{"a":1},{"a":1}])", "f"); }) == "none");
}

TEST_CASE("json: an object with 150,000 keys is read in linear time") {
  std::string text = "{";
  for (int i = 0; i < 150'000; ++i) text += fmt::format("{}\"token {}\":{}", i ? "," : "", i * 7919, i);
  const std::clock_t begin = std::clock();  // processor time: other programs may be busy, too
  CHECK(parse_json(text + "}", "f").size() == 150'000);
  CHECK((std::clock() - begin) / CLOCKS_PER_SEC < 5);  // comparing all pairs takes minutes
  CHECK(code_of([&] { parse_json(text + ",\"token 0\":1}", "f"); }) == "json.duplicate_key");
}

TEST_CASE("json: located values know where keys and values stand") {
  JsonOptions options;
  options.comments = Comments::allowed;
  const LocatedJson located = parse_located_json("// r\n{\"a\": 1,\n  \"b/c\": [2, {\"d~\": 3}]}", "r", options);
  const auto key = [&](const char* p) {
    return fmt::format("{}:{}", located.keys.at(p).line, located.keys.at(p).column);
  };
  const auto value = [&](const char* p) {
    return fmt::format("{}:{}", located.values.at(p).line, located.values.at(p).column);
  };
  CHECK(value("") == "2:1");
  CHECK(key("/a") == "2:2");
  CHECK(value("/a") == "2:7");
  CHECK(key("/b~1c") == "3:3");
  CHECK(value("/b~1c") == "3:10");
  CHECK(value("/b~1c/0") == "3:11");
  CHECK(value("/b~1c/1") == "3:14");
  CHECK(key("/b~1c/1/d~0") == "3:15");
  CHECK(located.value.at(Json::json_pointer("/b~1c/1/d~0")) == 3);
  CHECK(located.duplicates.empty());
}

TEST_CASE("json: located parsing lists keys that stand twice and keeps the first") {
  const LocatedJson located = parse_located_json("{\"a\":1,\"a\":2,\n\"b\":{\"c\":1,\"c\":2,\"c\":3,\"d\":4}}", "r");
  CHECK(to_text(located.value) == R"({"a":1,"b":{"c":1,"d":4}})");
  REQUIRE(located.duplicates.size() == 3);
  CHECK(located.duplicates[0].pointer == "/b/c");
  CHECK(located.duplicates[0].place.line == 2);
  CHECK(located.duplicates[0].place.column == 12);
  CHECK(located.duplicates[2].pointer == "/a");
  CHECK(located.duplicates[2].place.column == 8);
}

TEST_CASE("json: a file is read with a cap and named in errors") {
  const test::ScratchFolder folder;
  CHECK(read_json(folder.write("a.json", "{\"a\": 1}\n")) == Json{{"a", 1}});
  CHECK(code_of([&] { read_json(folder / "a.json", {}, 3); }) == "file.too_large");
  CHECK(code_of([&] { read_json(folder / "none.json"); }) == "file.missing");
  const auto thrown = thrown_by([&] { read_json(folder.write("b.json", "{\"a\": \n}")); });
  CHECK(thrown.fault == Fault::data);
  CHECK(thrown.message.find("b.json:2:1: a: ") != std::string::npos);
}

TEST_CASE("json: numbers that are not finite become strings, others round-trip") {
  CHECK(number_to_json(std::numeric_limits<double>::quiet_NaN()) == "NaN");
  CHECK(number_to_json(std::numeric_limits<double>::infinity()) == "Infinity");
  CHECK(number_to_json(-std::numeric_limits<double>::infinity()) == "-Infinity");
  for (const double value : {0.1, 1.0 / 3, 1e-308, 5e-324, 1.7976931348623157e308, -0.0, 1e23, 123456789.125})
    CHECK(parse_json(to_text(number_to_json(value)), "f").get<double>() == value);
}

TEST_CASE("json: text that is not UTF-8 is not written") {
  CHECK(code_of([] { to_text(Json("\xff")); }) == "json.utf8");
}

}  // namespace json_test
