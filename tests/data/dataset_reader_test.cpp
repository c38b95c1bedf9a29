// SPDX-License-Identifier: MIT
// Files to datasets: formats decided over all rows, splits, what is cut, dropped and refused, each by file and line.
#include "temper/data/dataset_reader.hpp"
#include <doctest/doctest.h>

#include <set>

#include "support/row_files.hpp"

namespace temper::dataset_reader_test {

using testing::learned;
using testing::refusal;
using testing::row_tokenizer;
using testing::RowFiles;
using testing::settings_for;
using testing::whole;

TEST_CASE("dataset reader: conversations are written by the fallback template and learn each answer with its end") {
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

TEST_CASE("dataset reader: several files are one dataset, numbered through") {
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

TEST_CASE("dataset reader: cut rows are counted, rows without labels dropped and listed") {
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

TEST_CASE("dataset reader: none left is an error of the data") {
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

TEST_CASE("dataset reader: a validation fraction takes rows by seed alone and keeps all") {
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

TEST_CASE("dataset reader: what the template says about a row names its file and line") {
  const RowFiles files;
  DataSettings settings = settings_for(files.write("a.jsonl", R"({"prompt": "a", "completion": "b"}
{"prompt": "bad", "completion": "b"})"));
  settings.chat_template =
      "{% if messages[0].content == 'bad' %}{{ raise_exception('no') }}{% endif %}{{ messages[1].content }}";
  CHECK(refusal(settings) ==
        "temper: " + settings.train[0].string() + ":2: chat_template: line 1, column 41: the template raised: no");
}

TEST_CASE("dataset reader: a generation block that leaves the end unlearned is refused with all its lines") {
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

TEST_CASE("dataset reader: settings that cannot be are the caller's mistake") {
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

TEST_CASE("dataset reader: messages of one conversation are grouped over rows and files") {
  const RowFiles files;
  DataSettings settings = settings_for(files.write("a.jsonl", R"({"conversation_id": 1, "role": "user", "content": "a"}
{"conversation_id": 2, "role": "user", "content": "x"}
{"conversation_id": 1, "role": "assistant", "content": "b"})"));
  settings.train.push_back(files.write("b.jsonl", R"({"conversation_id": 2, "role": "assistant", "content": "y"}
{"messages": [{"role": "user", "content": "m"}, {"role": "assistant", "content": "n"}]})"));
  settings.system_prompt = "S";
  const Dataset train = load_rows(settings, row_tokenizer()).train;
  REQUIRE(train.rows.size() == 3);
  CHECK(whole(train.rows[0]) == "<s>### System:\nS\n\n### User:\na\n\n### Assistant:\nb</s>\n\n");
  CHECK(whole(train.rows[1]) == "<s>### System:\nS\n\n### User:\nx\n\n### Assistant:\ny</s>\n\n");
  CHECK(learned(train.rows[2]) == "n</s>");
  CHECK(train.place(train.rows[1]) == settings.train[0].string() + ":2");
  CHECK(train.rows[2].number == 3);
  settings.max_samples = 1;
  CHECK(load_rows(settings, row_tokenizer()).train.rows.size() == 1);
}

TEST_CASE("dataset reader: a column that no row has is the caller's mistake, and the file's fields are listed") {
  const RowFiles files;
  DataSettings settings = settings_for(files.write("a.jsonl", "{\"q\": \"a\", \"answer\": \"b\"}\n"));
  settings.columns = {{"prompt", "question"}, {"completion", "answer"}};
  Fault fault = Fault::data;
  CHECK(refusal(settings, &fault) == "temper: columns: 'prompt' is said to stand in column 'question', which " +
                                         settings.train[0].string() +
                                         " does not have; expected one of its fields: 'q', 'answer'");
  CHECK(fault == Fault::usage);
  settings.format = RowFormat::instruction;
  fault = Fault::data;
  CHECK(refusal(settings, &fault).find("which") != std::string::npos);
  CHECK(fault == Fault::usage);
  settings.columns = {{"prompt", "q"}, {"completion", "answer"}, {"system", "persona"}};
  CHECK(refusal(settings, &fault).find("'system' is said to stand in column 'persona'") != std::string::npos);
  // A column that some row has may be absent from others.
  settings.train.push_back(files.write("b.jsonl", "{\"q\": \"a\", \"answer\": \"b\", \"persona\": \"c\"}\n"));
  CHECK(load_rows(settings, row_tokenizer()).train.rows.size() == 2);
  settings.train[1] = files.write("c.jsonl", "{\"q\": \"a\", \"persona\": \"c\"}\n");
  CHECK(refusal(settings, &fault).find("c.jsonl:1: has no field 'completion' (column 'answer')") != std::string::npos);
  CHECK(fault == Fault::data);
}

TEST_CASE("dataset reader: rows on both sides of the split are counted and placed") {
  const RowFiles files;
  DataSettings settings =
      settings_for(files.write("a.jsonl", "{\"text\": \"one\"}\n{\"text\": \"two\"}\n{\"text\": \"two\"}\n"));
  settings.validation = {files.write("v.jsonl", "{\"text\": \"three\"}\n{\"text\": \"two\"}\n{\"text\": \"two\"}\n")};
  const DatasetPair pair = load_rows(settings, row_tokenizer());
  CHECK(pair.overlap.rows == 2);
  REQUIRE(pair.overlap.places.size() == 2);
  CHECK(pair.overlap.places[0].first == settings.validation[0].string() + ":2");
  CHECK(pair.overlap.places[0].second == settings.train[0].string() + ":2");
  settings.validation = {files.write("w.jsonl", "{\"text\": \"four\"}\n")};
  CHECK(load_rows(settings, row_tokenizer()).overlap.rows == 0);
  settings.validation.clear();
  settings.train = {files.write("b.jsonl", "{\"text\": \"same\"}\n{\"text\": \"same\"}\n{\"text\": \"same\"}\n")};
  settings.validation_fraction = 0.4;
  CHECK(load_rows(settings, row_tokenizer()).overlap.rows == 1);
}

std::string text_of(const std::vector<TokenId>& tokens) { return row_tokenizer().decode(tokens, SpecialTokens::added); }
std::string learned_of(const TokenSequence& sequence) {
  return learned(Row{sequence.tokens, sequence.labels, 1, 0, 1, false});
}

TEST_CASE("dataset reader: preferences are two sequences with one prompt, learned in the completion alone") {
  const RowFiles files;
  DataSettings settings =
      settings_for(files.write("a.jsonl", R"({"prompt": "P", "chosen": "C", "rejected": "R", "system": "S"}
{"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}], "chosen": [{"role": "assistant", "content": "d"}], "rejected": [{"role": "assistant", "content": "e"}, {"role": "user", "content": "f"}, {"role": "assistant", "content": "g"}]})"));
  settings.train_on = TrainOn::all;
  const Dataset train = load_rows(settings, row_tokenizer()).train;
  CHECK(train.format == RowFormat::preference);
  CHECK(train.rows.empty());
  REQUIRE(train.preferences.size() == 2);
  const PreferenceRow& first = train.preferences[0];
  CHECK(text_of(first.chosen.tokens) == "<s>### System:\nS\n\n### User:\nP\n\n### Assistant:\nC</s>\n\n");
  CHECK(text_of(first.rejected.tokens) == "<s>### System:\nS\n\n### User:\nP\n\n### Assistant:\nR</s>\n\n");
  CHECK(learned_of(first.chosen) == "C</s>");
  CHECK(learned_of(first.rejected) == "R</s>");
  CHECK(learned_of(train.preferences[1].chosen) == "d</s>");
  CHECK(learned_of(train.preferences[1].rejected) == "e</s>g</s>");
  CHECK(train.place(train.preferences[1]) == settings.train[0].string() + ":2");
}

TEST_CASE("dataset reader: preferences without a template follow their prompt, and end") {
  const RowFiles files;
  DataSettings settings = settings_for(files.write("a.jsonl", R"({"prompt": "P ", "chosen": "C", "rejected": "R"})"));
  settings.template_use = TemplateUse::off;
  const PreferenceRow row = load_rows(settings, row_tokenizer()).train.preferences.at(0);
  CHECK(text_of(row.chosen.tokens) == "P C</s>");
  CHECK(learned_of(row.chosen).ends_with("C</s>"));
  CHECK(learned_of(row.rejected).ends_with("R</s>"));
}

TEST_CASE("dataset reader: a pair of which one side loses its labels is dropped") {
  const RowFiles files;
  std::string words;
  for (int i = 0; i < 60; ++i) words += "word ";
  DataSettings settings = settings_for(files.write("a.jsonl", R"({"prompt": "a", "chosen": "b", "rejected": "c"}
{"prompt": ")" + words + R"(", "chosen": "b", "rejected": "c"}
{"prompt": "a", "chosen": "b", "rejected": ")" + words + R"("})"));
  settings.max_length = 60;
  const Dataset train = load_rows(settings, row_tokenizer()).train;
  REQUIRE(train.preferences.size() == 2);
  CHECK(train.dropped == std::vector<std::string>{settings.train[0].string() + ":2"});
  CHECK(train.truncated == 2);
  CHECK(!train.preferences[0].truncated);
  CHECK(train.preferences[1].truncated);
}

TEST_CASE("dataset reader: classifications keep their tokens without an end, and the sorted labels") {
  const RowFiles files;
  DataSettings settings = settings_for(files.write("a.csv", "text,label\nhello,10\nworld,9\nhello,10\n"));
  DatasetPair pair = load_rows(settings, row_tokenizer());
  CHECK(pair.train.format == RowFormat::classification);
  REQUIRE(pair.train.classifications.size() == 3);
  CHECK(pair.train.labels.names() == std::vector<std::string>{"9", "10"});
  CHECK(text_of(pair.train.classifications[0].tokens) == "hello");
  CHECK(pair.train.classifications[0].classes == std::vector<Index>{1});
  CHECK(pair.train.classifications[1].classes == std::vector<Index>{0});
  settings.validation = {files.write("v.csv", "text,label\nhello,9\n")};
  pair = load_rows(settings, row_tokenizer());
  CHECK(pair.validation.classifications.at(0).classes == std::vector<Index>{0});
  CHECK(pair.overlap.rows == 1);
  settings.validation = {files.write("w.csv", "text,label\nhello,8\n")};
  CHECK(refusal(settings).find("w.csv:2: label '8' is in no training row") != std::string::npos);
  settings.validation = {files.write("x.jsonl", "{\"text\": \"a\"}")};
  CHECK(refusal(settings).find("x.jsonl: has text rows but ") != std::string::npos);
  settings.validation.clear();
  settings.problem = Problem::regression;
  CHECK(load_rows(settings, row_tokenizer()).train.classifications.at(0).value == 10);
}

TEST_CASE("dataset reader: prompts end where the answer begins, and those that are too long are dropped") {
  const RowFiles files;
  DataSettings settings = settings_for(files.write(
      "a.jsonl",
      "{\"prompt\": \"hello\", \"completion\": \"world\"}\n"
      "{\"prompt\": [{\"role\": \"user\", \"content\": \"hello\"}],"
      " \"completion\": [{\"role\": \"assistant\", \"content\": \"w\"}]}\n"
      "{\"prompt\": \"so\", \"system\": \"be\"}\n{\"prompt\": \"a much longer one than the others are\"}\n"));
  settings.format = RowFormat::prompt;
  settings.chat_template =
      "{% for m in messages %}[{{ m.role[0] }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[a]{% endif %}";
  settings.max_length = 20;
  const Dataset train = load_rows(settings, row_tokenizer()).train;
  CHECK(train.format == RowFormat::prompt);
  REQUIRE(train.prompts.size() == 3);
  CHECK(text_of(train.prompts[0].tokens) == "[u]hello[a]");
  CHECK(train.prompts[0].expected == "world");
  CHECK(train.prompts[1].tokens == train.prompts[0].tokens);
  CHECK(train.prompts[1].expected == "w");
  CHECK(text_of(train.prompts[2].tokens) == "[s]be[u]so[a]");
  CHECK(train.prompts[2].expected.empty());
  REQUIRE(train.dropped.size() == 1);
  CHECK(train.dropped[0].ends_with("a.jsonl:4"));
  settings.template_use = TemplateUse::off;
  settings.max_length = 100;
  CHECK(text_of(load_rows(settings, row_tokenizer()).train.prompts.at(2).tokens) == "beso");
}

TEST_CASE("dataset reader: rows that the caller cannot train on are refused before they are read") {
  const RowFiles files;
  DataSettings settings = settings_for(files.write("a.jsonl", "{\"text\": \"a\", \"label\": 1}\n{\"x\": 1}"));
  settings.accepted = {RowFormat::text, RowFormat::chat};
  Fault fault = Fault::data;
  CHECK(refusal(settings, &fault)
            .find("a.jsonl:1: is a row of format classification, which this task cannot train on; expected "
                  "text, chat") != std::string::npos);
  CHECK(fault == Fault::usage);
}

TEST_CASE("dataset reader: a later row without a field of its format is told which it lacks") {
  const RowFiles files;
  const auto said = [&](const char* first, const char* second) {
    return refusal(settings_for(files.write("a.jsonl", std::string(first) + "\n" + second)));
  };
  const std::string label = said("{\"text\": \"a\", \"label\": \"x\"}", "{\"text\": \"b\"}");
  CHECK(label.find("a.jsonl:2: has no field 'label'") != std::string::npos);
  const std::string answer = said("{\"prompt\": \"a\", \"completion\": \"b\"}", "{\"prompt\": \"a\"}");
  CHECK(answer.find("a.jsonl:2: has no field 'completion'") != std::string::npos);
  const std::string side =
      said("{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"b\"}", "{\"prompt\": \"p\", \"chosen\": \"a\"}");
  CHECK(side.find("a.jsonl:2: has no field 'rejected'") != std::string::npos);
  const std::string output =
      said("{\"instruction\": \"a\", \"output\": \"b\"}", "{\"instruction\": \"a\", \"input\": \"c\"}");
  CHECK(output.find("a.jsonl:2: has no field 'output'") != std::string::npos);
}

TEST_CASE("dataset reader: a later row of another format is refused, also where it could be read as the first's") {
  const RowFiles files;
  for (const char* row : {R"({"input": "q", "output": "r"})", R"({"input": "q", "completion": "r"})",
                          R"({"input": "q", "output": null})", R"({"prompt": "q"})"}) {
    Fault fault = Fault::usage;
    CHECK(refusal(settings_for(files.write("a.jsonl", std::string("{\"text\": \"a b c\"}\n") + row)), &fault)
              .find("a.jsonl:2: no format has the fields '") != std::string::npos);
    CHECK(fault == Fault::data);
  }
  const auto differs = [&](const char* first, const char* second) {
    return refusal(settings_for(files.write("a.jsonl", std::string(first) + "\n" + second)))
               .find("a.jsonl:2: is a row of format ") != std::string::npos;
  };
  CHECK(differs(R"({"text": "a", "label": "x"})", R"({"input": "b"})"));
  CHECK(differs(R"({"prompt": "p", "chosen": "a", "rejected": "b"})", R"({"prompt": "p", "completion": "b"})"));
}

TEST_CASE("dataset reader: rows do not depend on the number of threads, nor does the first failure") {
  const RowFiles files;
  std::string text;
  for (int i = 0; i < 3000; ++i)
    text += "{\"prompt\": \"" + std::to_string(i * i) + "\", \"completion\": \"row " + std::to_string(i) + "\"}\n";
  DataSettings settings = settings_for(files.write("a.jsonl", text));
  const Dataset one = load_rows(settings, row_tokenizer()).train;
  settings.threads = 3;
  const Dataset three = load_rows(settings, row_tokenizer()).train;
  REQUIRE(one.rows.size() == 3000);
  REQUIRE(three.rows.size() == 3000);
  bool same = true;
  for (std::size_t i = 0; i < 3000; ++i)
    same = same && one.rows[i].tokens == three.rows[i].tokens && one.rows[i].labels == three.rows[i].labels &&
           one.rows[i].line == three.rows[i].line;
  CHECK(same);
  settings.chat_template =
      "{% if messages[0].content | length > 5 %}{{ raise_exception(messages[0].content) }}{% endif %}"
      "{{ messages[1].content }}";
  const std::string failure = refusal(settings);
  CHECK(failure.find("a.jsonl:318: ") != std::string::npos);
  settings.threads = 1;
  CHECK(refusal(settings) == failure);
}

}  // namespace temper::dataset_reader_test
