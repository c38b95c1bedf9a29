// SPDX-License-Identifier: MIT
// The formats of rows: telling them apart, mapped columns, what a missing, null or wrong field does.
#include "temper/data/row_format.hpp"
#include <doctest/doctest.h>

namespace temper {
namespace {

std::vector<Sample> samples(std::string_view text, RowFormat format, const DataSettings& settings = {}) {
  return RowReader(settings, "t.jsonl").samples(parse_rows(text, "t.jsonl"), format);
}
RowFormat format_of(std::string_view row, const DataSettings& settings = {}) {
  return RowReader(settings, "t.jsonl").format_of(parse_rows(row, "t.jsonl")[0]);
}
std::string refused(std::string_view text, RowFormat format) {
  try {
    samples(text, format);
  } catch (const Error& error) { return error.what(); }
  return "";
}

TEST_CASE("row format: fields say what a row is") {
  CHECK(format_of(R"({"text": "a"})") == RowFormat::text);
  CHECK(format_of(R"({"input": "a"})") == RowFormat::text);
  CHECK(format_of(R"({"prompt": "a", "completion": "b"})") == RowFormat::instruction);
  CHECK(format_of(R"({"prompt": "a", "response": "b", "id": 3})") == RowFormat::instruction);
  CHECK(format_of(R"({"prompt": "a", "expected completion": "b"})") == RowFormat::instruction);
  CHECK(format_of(R"({"instruction": "a", "input": null, "output": "b"})") == RowFormat::alpaca);
  CHECK(format_of(R"({"messages": []})") == RowFormat::chat);
  CHECK(format_of(R"({"conversation_id": 1, "role": "user", "content": "x"})") == RowFormat::chat);
  CHECK(format_of(R"({"conversations": []})") == RowFormat::sharegpt);
  CHECK(format_of(R"({"prompt": "a", "chosen": "b", "rejected": "c"})") == RowFormat::preference);
  CHECK(format_of(R"({"text": "a", "label": 1})") == RowFormat::classification);
  CHECK_THROWS_WITH_AS(format_of(R"({"input": "a", "output": "b"})"), doctest::Contains("t.jsonl:1: no format has"),
                       Error);
  CHECK_THROWS_AS(format_of("{}"), Error);
  DataSettings settings;
  settings.columns = {{"prompt", "question"}, {"completion", "answer"}};
  CHECK(format_of(R"({"question": "a", "answer": "b"})", settings) == RowFormat::instruction);
}

TEST_CASE("row format: instructions become a user turn and an answer") {
  const auto rows = samples(R"({"system": "S", "prompt": "P", "completion": "C"}
{"system": null, "prompt": "P", "output": "C"})",
                            RowFormat::instruction);
  CHECK(rows[0].messages ==
        Json::parse(
            R"([{"role":"system","content":"S"},{"role":"user","content":"P"},{"role":"assistant","content":"C"}])"));
  CHECK(rows[1].messages == Json::parse(R"([{"role":"user","content":"P"},{"role":"assistant","content":"C"}])"));
  CHECK(rows[1].line == 2);
}

TEST_CASE("row format: alpaca without input is the instruction alone") {
  const auto rows = samples(R"({"instruction": "I", "input": "X", "output": "O"}
{"instruction": "I", "input": "", "output": "O"}
{"instruction": "I", "input": null, "output": "O"}
{"instruction": "I", "output": "O"})",
                            RowFormat::alpaca);
  CHECK(rows[0].messages[0]["content"] == "I\n\nX");
  for (std::size_t i = 1; i < 4; ++i) CHECK(rows[i].messages[0]["content"] == "I");
}

TEST_CASE("row format: sharegpt's speakers have roles") {
  const auto rows = samples(
      R"({"conversations": [{"from": "system", "value": "a"}, {"from": "human", "value": "b"}, {"from": "gpt", "value": "c"}, {"from": "observation", "value": "d"}, {"from": "user", "value": "e"}, {"from": "assistant", "value": "f"}], "tools": [1]})"
      "",
      RowFormat::sharegpt);
  std::string roles;
  for (const Json& message : rows[0].messages) roles += message["role"].get<std::string>() + " ";
  CHECK(roles == "system user assistant tool user assistant ");
  CHECK(rows[0].tools == Json::parse("[1]"));
  CHECK(refused(R"({"conversations": [{"from": "narrator", "value": "a"}]})", RowFormat::sharegpt)
            .find("from is 'narrator'") != std::string::npos);
}

TEST_CASE("row format: rows of one conversation are grouped where its first row stands") {
  const auto rows = samples(R"({"conversation_id": "b", "role": "user", "content": "1"}
{"conversation_id": 7, "role": "user", "content": "2"}
{"conversation_id": "b", "role": "assistant", "content": "3"}
{"conversation_id": "7", "role": "user", "content": "4"})",
                            RowFormat::chat);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].messages.size() == 2);
  CHECK(rows[0].messages[1]["content"] == "3");
  CHECK(rows[1].line == 2);
  CHECK(rows[2].line == 4);
}

TEST_CASE("row format: a system prompt is put before conversations that have none") {
  DataSettings settings;
  settings.system_prompt = "P";
  const auto rows = samples(R"({"messages": [{"role": "user", "content": "a"}]}
{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "a"}]})",
                            RowFormat::chat, settings);
  CHECK(rows[0].messages[0] == Json::parse(R"({"role":"system","content":"P"})"));
  CHECK(rows[1].messages[0]["content"] == "S");
  CHECK(*samples(R"({"text": "a"})", RowFormat::text, settings)[0].text == "a");
}

TEST_CASE("row format: missing, null and wrong fields are named with their line") {
  CHECK(refused("{\"text\": \"a\"}\n{\"body\": \"b\"}", RowFormat::text)
            .starts_with("temper: t.jsonl:2: has no field 'text'; its fields are 'body'"));
  CHECK(refused(R"({"text": null})", RowFormat::text).find("field 'text' is null; expected a string") !=
        std::string::npos);
  CHECK(refused(R"({"text": 3})", RowFormat::text).find("field 'text' is 3") != std::string::npos);
  CHECK(refused(R"({"prompt": "a"})", RowFormat::instruction).find("has no field 'completion'") != std::string::npos);
  CHECK(refused(R"({"messages": []})", RowFormat::chat).find("'messages' is empty") != std::string::npos);
  CHECK(refused(R"({"messages": [{"content": "x"}]})", RowFormat::chat).find("message 1 has no role") !=
        std::string::npos);
  CHECK(refused(R"({"messages": [5]})", RowFormat::chat).find("message 1 has no role") != std::string::npos);
  CHECK(refused(R"({"conversations": [5]})", RowFormat::sharegpt).find("turn 1") != std::string::npos);
  CHECK(refused(R"({"conversation_id": 1, "role": "user"})", RowFormat::chat).find("no field 'content'") !=
        std::string::npos);
  CHECK(refused(R"({"chosen": "a"})", RowFormat::preference).find("not supported yet") != std::string::npos);
}

}  // namespace
}  // namespace temper
