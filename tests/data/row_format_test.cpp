// SPDX-License-Identifier: MIT
// The formats of rows: telling them apart, mapped columns, what a missing, null or wrong field does.
#include "temper/data/row_format.hpp"
#include <doctest/doctest.h>
#include "temper/data/row_file.hpp"

#include <map>

namespace temper::row_format_test {

std::vector<Sample> samples(std::string_view text, RowFormat format, const DataSettings& settings = {}) {
  const RowReader reader(settings, "t.jsonl");
  std::vector<Sample> samples;
  for (const Record& record : parse_rows(text, "t.jsonl")) samples.push_back(reader.sample(record, format));
  return samples;
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
  std::string many = "{\"k\": 0";
  for (int i = 0; i < 500; ++i) many += ", \"k" + std::to_string(i) + "\": 0";
  CHECK_THROWS_WITH_AS(format_of(many + "}"), doctest::Contains(" more; expected text"), Error);
  // Of files that were put together: null is what another file has.
  CHECK(format_of(R"({"text": "a", "messages": null, "chosen": null, "rejected": null})") == RowFormat::text);
  CHECK(format_of(R"({"prompt": "a", "completion": "b", "conversations": null})") == RowFormat::instruction);
  CHECK(format_of(R"({"prompt": "a", "messages": null})") == RowFormat::chat);
  CHECK(format_of(R"({"prompt": "a", "chosen": null, "rejected": "b"})") == RowFormat::preference);
  CHECK(format_of(R"({"text": "a", "label": null})") == RowFormat::classification);
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

TEST_CASE("row format: of two names of a field the one that is not null is read") {
  const auto rows = samples(R"({"prompt": "P", "completion": null, "response": "C"})", RowFormat::instruction);
  CHECK(rows[0].messages[1]["content"] == "C");
  CHECK(*samples(R"({"text": null, "input": "I"})", RowFormat::text)[0].text == "I");
  CHECK(refused(R"({"text": null, "input": null})", RowFormat::text).find("field 'text' is null") != std::string::npos);
  CHECK(refused(R"({"prompt": "P", "completion": null})", RowFormat::instruction).find("field 'completion' is null") !=
        std::string::npos);
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

TEST_CASE("row format: rows that are parts of a conversation have an id and add a message each") {
  const DataSettings settings;
  const RowReader reader(settings, "t.jsonl");
  const auto rows = parse_rows(R"({"conversation_id": "b", "role": "user", "content": "1", "tools": [1]}
{"conversation_id": 7, "role": "tool", "content": "2", "name": "f", "tool_call_id": "x"}
{"messages": []})",
                               "t.jsonl");
  CHECK(reader.is_part(rows[0], RowFormat::chat));
  CHECK(!reader.is_part(rows[2], RowFormat::chat));
  CHECK(!reader.is_part(parse_rows(R"({"messages": null})", "t")[0], RowFormat::chat));
  CHECK(reader.is_part(parse_rows(R"({"messages": null, "conversation_id": 1})", "t")[0], RowFormat::chat));
  CHECK(reader.conversation_of(rows[0]) == "\"b\"");
  CHECK(reader.conversation_of(rows[1]) == "7");
  Sample sample;
  for (std::size_t i = 0; i < 2; ++i) reader.add_part(sample, rows[i]);
  CHECK(sample.line == 1);
  CHECK(sample.tools == Json::parse("[1]"));
  CHECK(sample.messages ==
        Json::parse(R"([{"role":"user","content":"1"},{"role":"tool","content":"2","name":"f","tool_call_id":"x"}])"));
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
  const DataSettings settings;
  Sample sample;
  CHECK_THROWS_WITH_AS(RowReader(settings, "t.jsonl")
                           .add_part(sample, parse_rows(R"({"conversation_id": 1, "role": "user"})", "t.jsonl")[0]),
                       doctest::Contains("no field 'content'"), Error);
  CHECK_THROWS_WITH_AS(
      RowReader(settings, "t.jsonl").conversation_of(parse_rows(R"({"conversation_id": 1.5})", "t")[0]),
      doctest::Contains("t.jsonl:1: field 'conversation_id' is 1.5"), Error);
}

// What a preference says, as 'role:content' of both sides and the number of messages in the prompt.
std::string pair_of(std::string_view text, const DataSettings& settings = {}) {
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  const Sample sample = samples(line, RowFormat::preference, settings).at(0);
  const auto said = [](const Json& messages) {
    std::string text_of_all;
    for (const Json& message : messages)
      text_of_all +=
          message["role"].get<std::string>().substr(0, 1) + ":" + message["content"].get<std::string>() + " ";
    return text_of_all;
  };
  return said(sample.messages) + "| " + said(sample.rejected) + "| " + std::to_string(sample.first_answer);
}

TEST_CASE("row format: preferences are two conversations with one prompt") {
  CHECK(pair_of(R"({"prompt": "P", "chosen": "C", "rejected": "R"})") == "u:P a:C | u:P a:R | 1");
  CHECK(pair_of(R"({"system": "S", "prompt": "P", "chosen": "C", "rejected": "R"})") ==
        "s:S u:P a:C | s:S u:P a:R | 2");
  CHECK(pair_of(R"({"prompt": [{"role": "user", "content": "P"}], "chosen": [{"role": "assistant", "content": "C"}],
                 "rejected": "R"})") == "u:P a:C | u:P a:R | 1");
  DataSettings settings;
  settings.system_prompt = "D";
  CHECK(pair_of(R"({"prompt": "P", "chosen": "C", "rejected": "R"})", settings) == "s:D u:P a:C | s:D u:P a:R | 2");
  CHECK(pair_of(R"({"system": "S", "prompt": "P", "chosen": "C", "rejected": "R"})", settings).starts_with("s:S u:P"));
}

TEST_CASE("row format: whole conversations as preferences share their prompt") {
  const char* const text = R"({"prompt": "P", "chosen": [{"role": "user", "content": "P"},
    {"role": "assistant", "content": "C"}], "rejected": [{"role": "user", "content": "P"},
    {"role": "assistant", "content": "R"}]})";
  CHECK(pair_of(text) == "u:P a:C | u:P a:R | 1");
  CHECK(pair_of(R"({"chosen": [{"role": "user", "content": "P"}, {"role": "assistant", "content": "C"}],
    "rejected": [{"role": "user", "content": "P"}, {"role": "assistant", "content": "C"}]})") ==
        "u:P a:C | u:P a:C | 1");
  CHECK(refused(R"({"chosen": [{"role": "user", "content": "P"}, {"role": "assistant", "content": "C"}],)"
                R"("rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "C"}]})",
                RowFormat::preference)
            .find("begin with different messages") != std::string::npos);
}

TEST_CASE("row format: what is no preference is named") {
  const auto said = [](const char* row) { return refused(row, RowFormat::preference); };
  CHECK(said(R"({"chosen": [{"role": "user", "content": "P"}], "rejected": [{"role": "user", "content": "P"}]})")
            .find("field 'chosen' is a question without an answer") != std::string::npos);
  CHECK(said(R"({"prompt": "P", "chosen": "C"})").find("has no field 'rejected'") != std::string::npos);
  CHECK(said(R"({"chosen": "C", "rejected": "R"})").find("has no field 'prompt'") != std::string::npos);
  CHECK(said(R"({"prompt": "P", "chosen": 3, "rejected": "R"})").find("field 'chosen' is 3; expected a string or") !=
        std::string::npos);
  CHECK(said(R"({"prompt": "P", "chosen": [], "rejected": "R"})").find("field 'chosen' is empty") != std::string::npos);
  CHECK(said(R"({"prompt": [], "chosen": "C", "rejected": "R"})").find("field 'prompt' is empty") != std::string::npos);
  CHECK(
      said(R"({"prompt": "P", "chosen": [{"content": "C"}], "rejected": "R"})").find("chosen, message 1 has no role") !=
      std::string::npos);
}

TEST_CASE("row format: a classification is a text with a label") {
  const auto rows = samples(R"({"text": "a", "label": "x"}
{"prompt": "b", "label": 3}
{"text": "c", "label": 0.5}
{"text": "d", "label": ["x", "y"]})",
                            RowFormat::classification);
  using Kind = LabelValue::Kind;
  CHECK(*rows[1].text == "b");
  CHECK(rows[0].label.kind == Kind::name);
  CHECK(rows[1].label.kind == Kind::integer);
  CHECK(rows[2].label.kind == Kind::number);
  CHECK(rows[3].label.kind == Kind::names);
  CHECK(refused(R"({"text": "a", "label": null})", RowFormat::classification).find("field 'label' is null") !=
        std::string::npos);
  for (const char* label : {R"("")", R"(["a", ""])"})
    CHECK(refused(R"({"text": "a", "label": )" + std::string(label) + "}", RowFormat::classification)
              .find("t.jsonl:1: field 'label' has an empty name") != std::string::npos);
}

TEST_CASE("row format: a cell may hold the JSON of messages, in a table only") {
  const DataSettings settings;
  const RowReader reader(settings, "t.csv");
  Record record = parse_rows(R"({"messages": "[{\"role\": \"user\", \"content\": \"a\"}]", "tools": ""})", "t.csv")[0];
  CHECK_THROWS_WITH_AS(reader.sample(record, RowFormat::chat), doctest::Contains("'messages' is a string"), Error);
  record.cells = Cells::text;
  CHECK(reader.sample(record, RowFormat::chat).messages[0]["content"] == "a");
  CHECK(reader.sample(record, RowFormat::chat).tools.is_null());
  record.fields["messages"] = "[{\"role\": }]";
  CHECK_THROWS_WITH_AS(reader.sample(record, RowFormat::chat),
                       doctest::Contains("t.csv:1: the JSON in field 'messages':1:"), Error);
  record.fields = Json{{"prompt", "[not JSON]"},
                       {"chosen", R"([{"role": "assistant", "content": "a"}])"},
                       {"rejected", "r"},
                       {"system", ""}};
  record.cells = Cells::text;
  const Sample pair = reader.sample(record, RowFormat::preference);
  CHECK(pair.messages[0]["content"] == "[not JSON]");
  CHECK(pair.messages[1]["content"] == "a");
  CHECK(pair.first_answer == 1);
}

}  // namespace temper::row_format_test
