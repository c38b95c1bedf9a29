// SPDX-License-Identifier: MIT
#include "temper/io/json_events.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"

namespace json_events_test {

using namespace temper;
using test::thrown_by;

struct Recorder final : JsonEvents {
  std::string said{};
  void begin_object(std::size_t at) override { said += fmt::format("{{{} ", at); }
  void end_object() override { said += "} "; }
  void begin_array(std::size_t at) override { said += fmt::format("[{} ", at); }
  void end_array() override { said += "] "; }
  void key(std::string& name, std::size_t at) override { said += fmt::format("{}@{} ", name, at); }
  void scalar(Json&& value, std::size_t at) override { said += fmt::format("{}@{} ", value.dump(), at); }
};

std::string events_of(std::string_view text, const JsonOptions& options = {}) {
  Recorder recorder;
  read_json_events(text, "f", options, recorder);
  return recorder.said;
}
std::string code_of(std::string_view text, const JsonOptions& options = {}) {
  return thrown_by([&] { events_of(text, options); }).code;
}
std::string message_of(std::string_view text, const JsonOptions& options = {}) {
  return thrown_by([&] { events_of(text, options); }).message;
}

TEST_CASE("json events: every token comes with the byte where it begins") {
  CHECK(events_of(R"({"a" : 12, "b":[true,-1.5 ,"x",{}]})") ==
        "{0 a@1 12@7 b@11 [15 true@16 -1.5@21 \"x\"@27 {31 } ] } ");
  CHECK(events_of("12") == "12@0 ");
  CHECK(events_of("\xef\xbb\xbf 7\n") == "7@4 ");
  CHECK(events_of("[0,\n1]") == "[0 0@1 1@4 ] ");
}

TEST_CASE("json events: comments are refused unless they are allowed") {
  JsonOptions allowed;
  allowed.comments = Comments::allowed;
  CHECK(code_of("// no\n1") == "json.syntax");
  CHECK(events_of("// yes\n/* , \" */ [1 /*x*/, //\n 2]//", allowed) == "[17 1@18 2@31 ] ");
}

TEST_CASE("json events: 64 levels are read and the 65th is refused") {
  CHECK(code_of(std::string(64, '[') + std::string(64, ']')) == "none");
  CHECK(code_of(std::string(65, '[') + std::string(65, ']')) == "json.depth");
  CHECK(code_of(std::string(1'000'000, '[')) == "json.depth");
}

TEST_CASE("json events: keys and values are counted against the cap") {
  JsonOptions options;
  options.max_nodes = 4;
  CHECK(code_of("[1,2,3]", options) == "none");
  CHECK(code_of(R"({"a":1,"b":2})", options) == "json.nodes");
}

TEST_CASE("json events: integers keep 64 bits or are refused") {
  CHECK(events_of("[18446744073709551615,-9223372036854775808]") ==
        "[0 18446744073709551615@1 -9223372036854775808@22 ] ");
  CHECK(code_of("18446744073709551616") == "json.integer_range");
  CHECK(code_of("-9223372036854775809") == "json.integer_range");
  CHECK(code_of("18446744073709551616.0") == "none");
  CHECK(events_of("18446744073709551616", {.long_integers = LongIntegers::as_doubles}) == "1.8446744073709552e+19@0 ");
  CHECK(code_of("1e999") == "json.number_range");
  for (const char* bad : {"01", "+1", "1.", ".5", "NaN", "Infinity", "0x10", "1e"})
    CHECK(code_of(bad) == "json.syntax");
}

TEST_CASE("json events: text that is not Unicode is refused with its place and field") {
  CHECK(code_of("\"\xff\"") == "json.utf8");
  CHECK(code_of("\"\xc0\x80\"") == "json.utf8");
  CHECK(code_of("\"\xed\xa0\x80\"") == "json.utf8");
  CHECK(code_of(R"("\ud800")") == "json.surrogate");
  CHECK(code_of(R"("\udc00")") == "json.surrogate");
  CHECK(code_of(R"("\ud800\u0041")") == "json.surrogate");
  CHECK(code_of(R"("\ud83d\ude00")") == "none");
  CHECK(message_of("{\"m\":[{\"c\":\"\\ud800\"}]}").starts_with("temper: f:1:19: m[0].c: an escape writes half"));
}

TEST_CASE("json events: nothing may follow the value") {
  CHECK(code_of("{}{}") == "json.syntax");
  CHECK(code_of("{} x") == "json.syntax");
  CHECK(code_of(std::string_view("{}\0", 3)) == "json.syntax");
  CHECK(code_of(std::string_view("{}\0junk", 7)) == "json.syntax");
  CHECK(code_of("{} \n\t\r") == "none");
}

TEST_CASE("json events: common mistakes are refused") {
  for (const char* bad :
       {"", " ", "{", "[1,]", "{\"a\":1,}", "{a:1}", "{'a':1}", "[1 2]", "\"a\nb\"", "\"\\x\"", "tru", "]"})
    CHECK_MESSAGE(code_of(bad) == "json.syntax", bad);
}

TEST_CASE("json events: an error shows line and column in characters, and the options' first line and fault") {
  JsonOptions options;
  options.first_line = 17;
  options.fault = Fault::usage;
  const test::Thrown thrown = thrown_by([&] { events_of("{\"\xc3\xa9\": nul}", options); });
  CHECK(thrown.message.starts_with("temper: f:17:10: "));
  CHECK(thrown.fault == Fault::usage);
  options.first_column = 5;
  CHECK(thrown_by([&] { events_of("{\"\xc3\xa9\": nul}", options); }).message.starts_with("temper: f:17:14: "));
  CHECK(thrown_by([&] { events_of("{\n nul}", options); }).message.starts_with("temper: f:18:5: "));
  CHECK(message_of("{\n \"a\": [1,\n 2").starts_with("temper: f:3:3: a[2]: not valid JSON: the text ends early"));
}

TEST_CASE("json events: a message shows no control character of the file and stays short") {
  const std::string message = message_of("{\"" + std::string(5000, 'k') + "\": \"\x1b[31m\"}");
  CHECK(message.size() < 500);
  CHECK(message.find('\x1b') == std::string::npos);
}

}  // namespace json_events_test
