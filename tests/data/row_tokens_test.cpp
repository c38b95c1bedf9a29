// SPDX-License-Identifier: MIT
// Samples to ids and labels: against what transformers gives for whole conversations (tests/golden/rows), and the rules
// for text rows, ends and cuts.
#include "temper/data/row_tokens.hpp"
#include <doctest/doctest.h>

#include "support/row_files.hpp"

namespace temper::row_tokens_test {

TEST_CASE("row tokens: ids and labels of conversations are those of transformers") {
  const Json golden = read_json(TEMPER_TESTS "/golden/rows/masks.json");
  std::map<std::string, Tokenizer> tokenizers;
  for (const Json& expected : golden["cases"]) {
    const auto name = expected["tokenizer"].get<std::string>(), chat = expected["template"].get<std::string>();
    CAPTURE(name);
    CAPTURE(chat);
    if (tokenizers.count(name) == 0)
      tokenizers.emplace(name, Tokenizer::open(TEMPER_TESTS "/golden/tokenizer/" + name));
    DataSettings settings;
    settings.chat_template = read_file(TEMPER_TESTS "/golden/template/templates/" + chat + ".jinja", 1 << 20);
    Sample sample;
    sample.messages = expected["messages"];
    const TokenRow row = RowTokens(settings, tokenizers.at(name)).row(sample);
    CHECK(row.tokens == expected["ids"].get<std::vector<TokenId>>());
    std::string mask;
    for (const std::uint8_t label : row.labels) mask += label ? '1' : '0';
    CHECK(mask == expected["mask"].get<std::string>());
  }
}

TokenRow row_of(const DataSettings& settings, const Sample& sample) {
  return RowTokens(settings, testing::row_tokenizer()).row(sample);
}

Sample talk(int turns) {
  Sample sample;
  for (int i = 0; i < turns; ++i) {
    sample.messages.push_back({{"role", "user"}, {"content", "question " + std::to_string(i)}});
    sample.messages.push_back({{"role", "assistant"}, {"content", "answer " + std::to_string(i)}});
  }
  return sample;
}

TEST_CASE("row tokens: wherever a conversation is cut, the labels before the cut are those of the whole") {
  for (const char* name : {"chatml", "phi3_style", "mistral_v3_style", "thinking_style", "llama3_style"}) {
    CAPTURE(name);
    DataSettings settings;
    settings.chat_template =
        read_file(TEMPER_TESTS "/golden/template/templates/" + std::string(name) + ".jinja", 1 << 20);
    settings.date = templates::Date{2024, 7, 26, 0, 0, 0};
    const TokenRow whole = row_of(settings, talk(8));
    REQUIRE(!whole.truncated);
    for (Index length = 2; length < std::ssize(whole.tokens); length += 3) {
      settings.max_length = length;
      const TokenRow cut = row_of(settings, talk(8));
      REQUIRE(std::ssize(cut.labels) == length);
      CHECK(std::equal(cut.labels.begin(), cut.labels.end(), whole.labels.begin()));
    }
  }
}

TEST_CASE("row tokens: a conversation of very many turns costs no more than what is kept of it") {
  DataSettings settings;
  settings.chat_template = read_file(TEMPER_TESTS "/golden/template/templates/chatml.jinja", 1 << 20);
  settings.max_length = 64;
  const TokenRow row = row_of(settings, talk(20000));  // minutes, if all turns were rendered up to
  CHECK(row.truncated);
  CHECK(row.supervised() > 0);
}

Sample answered(std::string_view prompt, std::string_view answer) {
  Sample sample;
  sample.messages = Json{{{"role", "user"}, {"content", prompt}}, {{"role", "assistant"}, {"content", answer}}};
  return sample;
}

TEST_CASE("row tokens: a text row ends with eos once, and all but its first token is learned") {
  Sample sample;
  sample.text = "hello";
  const TokenRow row = row_of({}, sample);
  REQUIRE(testing::row_tokenizer().eos().has_value());
  CHECK(row.tokens.back() == *testing::row_tokenizer().eos());
  CHECK(row.labels.front() == 0);
  CHECK(row.supervised() + 1 == std::ssize(row.tokens));
  sample.text = "hello</s>";
  CHECK(row_of({}, sample).tokens == row.tokens);
  sample.text = "";
  CHECK(row_of({}, sample).supervised() == 0);
}

TEST_CASE("row tokens: a row is cut at the end, after eos was added, and keeps the labels that remain") {
  Sample sample;
  sample.text = "hello";
  const TokenRow whole = row_of({}, sample);
  DataSettings settings;
  settings.max_length = std::ssize(whole.tokens);
  CHECK(!row_of(settings, sample).truncated);
  settings.max_length -= 1;
  const TokenRow cut = row_of(settings, sample);
  CHECK(cut.truncated);
  CHECK(cut.tokens == std::vector<TokenId>(whole.tokens.begin(), whole.tokens.end() - 1));
  CHECK(cut.labels == std::vector<std::uint8_t>(whole.labels.begin(), whole.labels.end() - 1));
}

TEST_CASE("row tokens: without a template prompt and completion follow each other, and the completion ends with eos") {
  DataSettings settings;
  settings.template_use = TemplateUse::off;
  const TokenRow row = row_of(settings, answered("one\n", "two"));
  const Tokenizer& tokenizer = testing::row_tokenizer();
  CHECK(tokenizer.decode(row.tokens, SpecialTokens::added) == "one\ntwo</s>");
  std::vector<TokenId> learned;
  for (std::size_t i = 0; i < row.tokens.size(); ++i)
    if (row.labels[i]) learned.push_back(row.tokens[i]);
  CHECK(tokenizer.decode(learned, SpecialTokens::added) == "two</s>");
  settings.train_on = TrainOn::all;
  const TokenRow all = row_of(settings, answered("one\n", "two"));
  CHECK(all.supervised() + 1 == std::ssize(all.tokens));
}

TEST_CASE("row tokens: a generation block that stops before the end token is noticed") {
  const auto unlearned = [](std::string_view text, TrainOn train_on = TrainOn::assistant) {
    DataSettings settings;
    settings.chat_template = std::string(text);
    settings.train_on = train_on;
    return row_of(settings, answered("one", "two")).unlearned_end;
  };
  const std::string start = "{% for m in messages %}{% generation %}{{ m.content }}", close = "{% endgeneration %}";
  CHECK(unlearned(start + close + "</s>{% endfor %}"));
  CHECK(!unlearned(start + close + "</s>{% endfor %}", TrainOn::all));
  CHECK(!unlearned(start + "</s>" + close + "</s>{% endfor %}"));
  CHECK(!unlearned(start + close + "x</s>{% endfor %}"));
  CHECK(!unlearned("{{ messages[0].content }}{% generation %}{{ messages[1].content }}{% endgeneration %}"));
}

}  // namespace temper::row_tokens_test
