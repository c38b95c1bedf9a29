// SPDX-License-Identifier: MIT
// The examples of docs/text.md, a kind of row each: read as files, decided by 'auto', and learned as the page says.
#include <doctest/doctest.h>

#include <map>

#include "support/row_files.hpp"

namespace temper::row_examples_test {

// Each between its markers is a file.
constexpr std::string_view examples = R"(
// [text-row]
{"text": "It is a truth universally acknowledged."}
// [/text-row]
// [instruction-row]
{"prompt": "What is the capital of France?", "completion": "Paris."}
{"system": "Answer in one word.", "prompt": "And of Spain?", "response": "Madrid"}
// [/instruction-row]
// [alpaca-row]
{"instruction": "Translate into German.", "input": "Good morning", "output": "Guten Morgen"}
// [/alpaca-row]
// [chat-row]
{"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi!"}]}
// [/chat-row]
// [grouped-rows]
{"conversation_id": 7, "role": "user", "content": "Hello"}
{"conversation_id": 8, "role": "user", "content": "Good evening"}
{"conversation_id": 7, "role": "assistant", "content": "Hi!"}
{"conversation_id": 8, "role": "assistant", "content": "Good evening!"}
// [/grouped-rows]
// [sharegpt-row]
{"conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hi!"}]}
// [/sharegpt-row]
// [preference-row]
{"prompt": "What is two and two?", "chosen": "Four.", "rejected": "Five."}
// [/preference-row]
// [classification-row]
{"text": "The room was clean and quiet.", "label": "positive"}
{"text": "The food was cold.", "label": "negative"}
// [/classification-row]
// [prompt-row]
{"prompt": "How many legs has a spider?", "completion": "8"}
{"prompt": [{"role": "user", "content": "Write a line about rain."}]}
// [/prompt-row]
// [csv-rows]
prompt,completion
"Say ""yes"".",yes
"Two lines,
please.","first
second"
// [/csv-rows]
)";

std::string example(const std::string& name) {
  const std::string begin = "// [" + name + "]\n", end = "// [/" + name + "]\n";
  const std::size_t from = examples.find(begin) + begin.size();
  return std::string(examples.substr(from, examples.find(end) - from));
}

Dataset load(const std::string& name, const std::string& file) {
  const testing::RowFiles files;
  return load_rows(testing::settings_for(files.write(file, example(name))), testing::row_tokenizer()).train;
}

std::string all_learned(const Dataset& dataset) {
  std::string text;
  for (const Row& row : dataset.rows) text += testing::learned(row) + "|";
  return text;
}

TEST_CASE("row examples: each is the kind that the page says, and is learned as it says") {
  const auto check = [](const char* name, RowFormat format, const char* learned) {
    CAPTURE(name);
    const Dataset dataset = load(name, "a.jsonl");
    CHECK(dataset.format == format);
    CHECK(all_learned(dataset) == learned);
  };
  check("instruction-row", RowFormat::instruction, "Paris.</s>|Madrid</s>|");
  check("alpaca-row", RowFormat::alpaca, "Guten Morgen</s>|");
  check("chat-row", RowFormat::chat, "Hi!</s>|");
  check("grouped-rows", RowFormat::chat, "Hi!</s>|Good evening!</s>|");
  check("sharegpt-row", RowFormat::sharegpt, "Hi!</s>|");
  const Dataset text = load("text-row", "a.jsonl");
  CHECK(text.format == RowFormat::text);
  CHECK(testing::whole(text.rows.at(0)) == "It is a truth universally acknowledged.</s>");
  const Dataset csv = load("csv-rows", "a.csv");
  CHECK(csv.format == RowFormat::instruction);
  CHECK(all_learned(csv) == "yes</s>|first\nsecond</s>|");
}

TEST_CASE("row examples: a preference and classifications") {
  const Dataset pairs = load("preference-row", "a.jsonl");
  CHECK(pairs.format == RowFormat::preference);
  const TokenSequence& chosen = pairs.preferences.at(0).chosen;
  CHECK(testing::learned({chosen.tokens, chosen.labels, 1, 0, 1, false}) == "Four.</s>");
  const Dataset labels = load("classification-row", "a.jsonl");
  CHECK(labels.format == RowFormat::classification);
  CHECK(labels.labels.names() == std::vector<std::string>{"negative", "positive"});
  CHECK(labels.classifications.at(0).classes == std::vector<Index>{1});
}

TEST_CASE("row examples: prompts end where the answer begins") {
  const testing::RowFiles files;
  DataSettings settings = testing::settings_for(files.write("a.jsonl", example("prompt-row")));
  settings.format = RowFormat::prompt;
  const Dataset prompts = load_rows(settings, testing::row_tokenizer()).train;
  REQUIRE(prompts.prompts.size() == 2);
  CHECK(prompts.prompts[0].expected == "8");
  CHECK(prompts.prompts[1].expected.empty());
  for (const PromptRow& prompt : prompts.prompts)
    CHECK(testing::row_tokenizer().decode(prompt.tokens, SpecialTokens::added).ends_with("### Assistant:\n"));
}

}  // namespace temper::row_examples_test
