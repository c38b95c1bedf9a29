// SPDX-License-Identifier: MIT
// Files to datasets: formats decided over all rows, splits, what is cut, dropped and refused, each by file and line.
#include "temper/data/dataset.hpp"
#include <doctest/doctest.h>

#include <set>

#include "support/row_files.hpp"

namespace temper::dataset_test {

using testing::learned;
using testing::refusal;
using testing::row_tokenizer;
using testing::RowFiles;
using testing::settings_for;
using testing::whole;

TEST_CASE("dataset: conversations are written by the fallback template and learn each answer with its end") {
  const RowFiles files;
  const auto path = files.write("a.jsonl", R"({"prompt": "Q", "completion": "A"}
{"prompt": "R", "completion": "B", "system": "S"})");
  const Dataset train = load_rows(settings_for(path), row_tokenizer()).train;
  REQUIRE(train.rows.size() == 2);
  CHECK(train.format == RowFormat::instruction);
  CHECK(whole(train.rows[0]) == "<s>### User:\nQ\n\n### Assistant:\nA</s>\n\n");
  CHECK(learned(train.rows[0]) == "A</s>");
  CHECK(whole(train.rows[1]) == "<s>### System:\nS\n\n### User:\nR\n\n### Assistant:\nB</s>\n\n");
  CHECK(train.place(train.rows[1]) == path.string() + ":2");
  CHECK(train.rows[1].number == 2);
}

TEST_CASE("dataset: several files are one dataset, numbered through") {
  const RowFiles files;
  DataSettings settings = settings_for(files.write("a.jsonl", "{\"text\": \"one\"}\n"));
  settings.train.push_back(files.write("b.json", "[{\"text\": \"two\"},\n{\"text\": \"three\"}]"));
  const Dataset train = load_rows(settings, row_tokenizer()).train;
  REQUIRE(train.rows.size() == 3);
  CHECK(train.rows[2].number == 3);
  CHECK(train.rows[2].file == 1);
  CHECK(train.rows[2].line == 2);
  settings.max_samples = 2;
  CHECK(load_rows(settings, row_tokenizer()).train.rows.size() == 2);
  settings.train.push_back(files.write("c.jsonl", "\n{\"prompt\": \"a\", \"completion\": \"b\"}"));
  CHECK(refusal(settings).find("c.jsonl:2: is a row of format instruction but ") != std::string::npos);
}

TEST_CASE("dataset: cut rows are counted, rows without labels dropped and listed") {
  const RowFiles files;
  std::string words;
  for (int i = 0; i < 60; ++i) words += "word ";
  DataSettings settings = settings_for(files.write("a.jsonl", R"({"prompt": "a", "completion": "b"}
{"prompt": ")" + words + R"(", "completion": "b"}
{"prompt": "a", "completion": ")" + words + R"("})"));
  settings.max_length = 40;
  settings.chat_template = "{{ messages[0].content }}{% generation %}{{ messages[1].content }}</s>{% endgeneration %}";
  const Dataset train = load_rows(settings, row_tokenizer()).train;
  REQUIRE(train.rows.size() == 2);
  CHECK(train.truncated == 2);
  CHECK(train.dropped == std::vector<std::string>{settings.train[0].string() + ":2"});
  CHECK(!train.rows[0].truncated);
  CHECK(train.rows[1].truncated);
  CHECK(train.rows[1].tokens.size() == 40);
  CHECK(train.rows[1].number == 3);
}

TEST_CASE("dataset: none left is an error of the data") {
  const RowFiles files;
  Fault fault = Fault::usage;
  const DataSettings settings =
      settings_for(files.write("a.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}"));
  CHECK(
      refusal(settings, &fault).find("no row is left to train on (1 dropped: " + settings.train[0].string() + ":1)") !=
      std::string::npos);
  CHECK(fault == Fault::data);
  CHECK(refusal(settings_for(files.write("b.jsonl", "\n\n"))).find("has no rows") != std::string::npos);
}

TEST_CASE("dataset: a validation fraction takes rows by seed alone and keeps all") {
  const RowFiles files;
  std::string text;
  for (int i = 0; i < 30; ++i) text += "{\"text\": \"row " + std::to_string(i) + "\"}\n";
  DataSettings settings = settings_for(files.write("a.jsonl", text));
  settings.validation_fraction = 0.1;
  const auto numbers = [](const Dataset& dataset) {
    std::vector<Index> found;
    for (const Row& row : dataset.rows) found.push_back(row.number);
    return found;
  };
  const DatasetPair pair = load_rows(settings, row_tokenizer());
  CHECK(pair.validation.rows.size() == 3);
  CHECK(pair.train.rows.size() == 27);
  std::set<Index> all;
  for (const Dataset* part : {&pair.train, &pair.validation})
    for (const Index number : numbers(*part)) all.insert(number);
  CHECK(all.size() == 30);
  CHECK(numbers(load_rows(settings, row_tokenizer()).validation) == numbers(pair.validation));
  settings.shuffle = Shuffle::off;
  CHECK(numbers(load_rows(settings, row_tokenizer()).validation) == numbers(pair.validation));
  settings.seed = 43;
  CHECK(numbers(load_rows(settings, row_tokenizer()).validation) != numbers(pair.validation));
  settings.validation_fraction = 0.001;
  CHECK(load_rows(settings, row_tokenizer()).validation.rows.size() == 1);
  settings.validation_fraction = 0;
  settings.validation = {files.write("v.jsonl", "{\"text\": \"held out\"}")};
  CHECK(load_rows(settings, row_tokenizer()).validation.rows.size() == 1);
}

TEST_CASE("dataset: what the template says about a row names its file and line") {
  const RowFiles files;
  DataSettings settings = settings_for(files.write("a.jsonl", R"({"prompt": "a", "completion": "b"}
{"prompt": "bad", "completion": "b"})"));
  settings.chat_template =
      "{% if messages[0].content == 'bad' %}{{ raise_exception('no') }}{% endif %}{{ messages[1].content }}";
  CHECK(refusal(settings) ==
        "temper: " + settings.train[0].string() + ":2: chat_template: line 1, column 41: the template raised: no");
}

TEST_CASE("dataset: a generation block that leaves the end unlearned is refused with all its lines") {
  const RowFiles files;
  DataSettings settings = settings_for(files.write("a.jsonl", R"({"prompt": "a", "completion": "b"}
{"prompt": "a", "completion": "b"})"));
  settings.chat_template = "{{ messages[0].content }}{% generation %}{{ messages[1].content }}{% endgeneration %}</s>";
  Fault fault = Fault::usage;
  const std::string message = refusal(settings, &fault), name = settings.train[0].string();
  CHECK(fault == Fault::data);
  CHECK(message.find(name + ":1, " + name + ":2") != std::string::npos);
  CHECK(message.find("endgeneration") != std::string::npos);
}

TEST_CASE("dataset: settings that cannot be are the caller's mistake") {
  const RowFiles files;
  DataSettings settings = settings_for(files.write("a.jsonl", "{\"text\": \"a\"}"));
  Fault fault = Fault::data;
  settings.max_length = 1;
  CHECK(refusal(settings, &fault).find("max_length is 1") != std::string::npos);
  CHECK(fault == Fault::usage);
  settings.max_length = 9;
  settings.validation_fraction = 0.9;
  CHECK(refusal(settings, &fault).find("takes 1 of 1 rows") != std::string::npos);
}

}  // namespace temper::dataset_test
