// SPDX-License-Identifier: MIT
#include "temper/data/post_processor.hpp"
#include <doctest/doctest.h>
#include <support/refusal.hpp>

#include <string>
#include <vector>

namespace post_processor_test {

using namespace temper;

// Tokens 0 to 9 exist.
PostProcessor made(std::string_view text) {
  return PostProcessor::from_json(Json::parse(text), "post_processor", "tokenizer.json",
                                  [](std::uint64_t id) { return id < 10; });
}

// A template whose 'single' and token 'b' are as given.
std::string template_of(const std::string& single, const std::string& ids) {
  return R"({"type": "TemplateProcessing", "single": )" + single + R"(, "pair": [], "special_tokens": {"a": )" +
         R"({"id": "a", "ids": [1], "tokens": ["a"]}, "b": {"id": "b", "ids": )" + ids + "}}}";
}

const std::string a = R"({"SpecialToken": {"id": "a", "type_id": 0}})", b = R"({"SpecialToken": {"id": "b"}})",
                  text = R"({"Sequence": {"id": "A", "type_id": 0}})";

using Ids = std::vector<TokenId>;

TEST_CASE("post_processor: a template's tokens stand before and after the text") {
  struct Row {
    std::string json;
    Ids before, after;
  };
  const Row rows[] = {
      {"null", {}, {}},
      {R"({"type": "ByteLevel", "trim_offsets": true})", {}, {}},
      {template_of("[" + text + "]", "[2]"), {}, {}},
      {template_of("[" + a + "," + text + "]", "[2]"), {1}, {}},
      {template_of("[" + text + "," + b + "]", "[2, 3]"), {}, {2, 3}},
      {template_of("[" + a + "," + b + "," + text + "," + a + "]", "[9, 0]"), {1, 9, 0}, {1}},
      {R"({"type": "Sequence", "processors": [{"type": "ByteLevel"}, )" +
           template_of("[" + a + "," + text + "]", "[]") + "]}",
       {1},
       {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.json);
    const PostProcessor processor = made(row.json);
    CHECK(processor.before == row.before);
    CHECK(processor.after == row.after);
  }
}

TEST_CASE("post_processor: templates that lie or ask for more are refused by name") {
  const std::string one = template_of("[" + text + "," + a + "]", "[2]");
  std::string many = "[1";
  for (int i = 0; i < 1000; ++i) many += ", 1";
  const std::string rows[][2] = {
      {R"({"type": "RobertaProcessing"})", "not_supported | temper: tokenizer.json: post_processor type Roberta"},
      {"[]", "tokenizer.field | temper: tokenizer.json: post_processor is array; expected an object"},
      {"{}", "tokenizer.field | temper: tokenizer.json: post_processor.type is missing"},
      {R"({"type": "Sequence"})", "post_processor.processors is missing"},
      {R"({"type": "Sequence", "processors": [{"type": "Sequence", "processors": []}]})",
       "post_processor.processors[0] type Sequence inside a Sequence"},
      {R"({"type": "Sequence", "processors": [)" + one + "," + one + "]}",
       "post_processor.processors[1] after another template"},
      {template_of("[" + text + R"(, {"SpecialToken": {"id": "absent"}}])", "[2]"),
       "post_processor.special_tokens.absent is null; expected an object"},
      {template_of("[" + text + "," + b + "]", "[10]"), "special_tokens.b.ids is [10]; expected ids of tokens that"},
      {template_of("[" + text + "," + b + "]", "[-1]"), "special_tokens.b.ids is [-1]"},
      {template_of("[" + text + "," + b + "]", "[1.0]"), "special_tokens.b.ids is [1.0]"},
      {template_of("[" + text + "," + b + "]", "[18446744073709551615]"), "ids is [18446744073709551615]"},
      {template_of("[" + text + "," + b + "]", "3"), "special_tokens.b.ids is 3; expected a list of token ids"},
      {template_of("[" + text + "," + b + "]", "null"), "special_tokens.b.ids is missing"},
      {template_of("[" + text + "," + b + "]", many + "]"), "with more than 1000 tokens"},
      {template_of("[" + a + "]", "[2]"), "post_processor without a text"},
      {template_of("[]", "[2]"), "post_processor without a text"},
      {template_of("[" + text + "," + text + "]", "[2]"), "post_processor.single[1] a second text"},
      {template_of(R"([{"Sequence": {"id": "B"}}])", "[2]"), "post_processor.single[0] a second text"},
      {template_of("[{}]", "[2]"), "post_processor.single[0].SpecialToken is null; expected an object"},
      {template_of("[1]", "[2]"), "post_processor.single[0] is number; expected an object"},
      {template_of("1", "[2]"), "post_processor.single is 1; expected a list"},
  };
  for (const auto& row : rows) {
    const std::string& json = row[0];
    CAPTURE(json);
    const std::string said = test::refusal([&] { made(json); });
    CAPTURE(said);
    CHECK(said.starts_with("tokenizer."));
    CHECK(said.find(row[1]) != std::string::npos);
  }
}

}  // namespace post_processor_test
