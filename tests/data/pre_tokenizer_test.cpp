// SPDX-License-Identifier: MIT
#include "temper/data/pre_tokenizer.hpp"
#include <doctest/doctest.h>
#include <support/refusal.hpp>
#include "temper/io/json.hpp"

#include <string>
#include <utility>
#include <vector>

namespace pre_tokenizer_test {

using namespace temper;

using Texts = std::vector<std::string>;

PreTokenizer made(std::string_view json) {
  return PreTokenizer::from_json(parse_json(json, "test"), "pre_tokenizer", "tokenizer.json");
}

Texts words_of(const PreTokenizer& pre_tokenizer, std::string_view text) {
  PreTokenizerScratch scratch;
  Texts found;
  pre_tokenizer.split(
      text, scratch, [](Index at) { return at == 0; }, [&](const Word& word) { found.emplace_back(word.bytes); });
  return found;
}

Texts words(const std::string& stage, std::string_view text) { return words_of(made(stage), text); }

// A Split of what to_text() gives.
std::string split_of(const std::string& pattern, const std::string& behavior, const std::string& invert) {
  return R"({"type": "Split", "pattern": )" + pattern + R"(, "behavior": )" + behavior + R"(, "invert": )" + invert +
         "}";
}

TEST_CASE("pre_tokenizer: every behavior of Split cuts as recorded") {
  const Json rows = read_json(TEMPER_TESTS "/golden/tokenizer/splits.json");
  REQUIRE(rows.size() == 630);
  for (const Json& row : rows) {
    const std::string stage = split_of(to_text(row[0]), to_text(row[1]), to_text(row[2]));
    CAPTURE(stage);
    const Texts found = words(stage, row[3].get_ref<const std::string&>());
    REQUIRE(found.size() == row[4].size());
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == row[4][i].get_ref<const std::string&>());
  }
}

TEST_CASE("pre_tokenizer: Digits cuts out runs or single digits") {
  CHECK(words(R"({"type": "Digits", "individual_digits": true})", "a12b3") == Texts{"a", "1", "2", "b", "3"});
  CHECK(words(R"({"type": "Digits", "individual_digits": false})", "a12b3") == Texts{"a", "12", "b", "3"});
  CHECK(words(R"({"type": "Digits", "individual_digits": true})", "\xc2\xbd\xe2\x85\xa3") ==
        Texts{"\xc2\xbd", "\xe2\x85\xa3"});  // one half, Roman four
}

TEST_CASE("pre_tokenizer: every stage alone and in sequence cuts as recorded") {
  const Json rows = read_json(TEMPER_TESTS "/golden/tokenizer/stages.json");
  REQUIRE(rows.size() > 200);
  for (const Json& row : rows) {
    CAPTURE(to_text(row));
    CHECK(words(to_text(row[0]), row[1].get<std::string>()) == row[2].get<Texts>());
  }
}

TEST_CASE("pre_tokenizer: what a stage puts before a text stands for nothing of it, what it replaces for that") {
  using Spans = std::vector<TextSpan>;
  const auto spans = [](const std::string& stage, std::string_view text) {
    const PreTokenizer pre_tokenizer = made(stage);
    PreTokenizerScratch scratch;
    Spans found;
    std::size_t hint = 0;
    pre_tokenizer.split(
        text, scratch, [](Index) { return true; },
        [&](const Word& word) { found.push_back(word.in_text(0, static_cast<Index>(word.bytes.size()), hint)); });
    return found;
  };
  const std::string space = R"({"type": "ByteLevel", "add_prefix_space": true})";
  CHECK(words(space, "ab c") == Texts{" ab", " c"});
  CHECK(spans(space, "ab c") == Spans{{0, 2}, {2, 4}});
  CHECK(words(space, " ab") == Texts{" ab"});
  CHECK(words(space, "") == Texts{});
  const std::string meta = R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "always"})";
  CHECK(words(meta, "ab  c") == Texts{"_ab", "_", "_c"});
  CHECK(spans(meta, "ab  c") == Spans{{0, 2}, {2, 3}, {3, 5}});
}

TEST_CASE("pre_tokenizer: a stage after ByteLevel, an unknown behavior, endless nesting and the like are refused") {
  const std::string byte_level = R"({"type": "ByteLevel"})";
  std::string nested = byte_level;
  for (int i = 0; i < 20; ++i) nested = R"({"type": "Sequence", "pretokenizers": [)" + nested + "]}";
  std::string many = R"({"type": "Digits"})";
  for (int i = 0; i < 6; ++i) many += "," + many;
  const std::string x = R"({"String": "x"})", isolated = R"("Isolated")";
  const std::pair<std::string, const char*> rows[] = {
      {R"({"type": "Sequence", "pretokenizers": [)" + byte_level + "," + byte_level + "]}",
       "pre_tokenizer.pretokenizers[1] type ByteLevel after ByteLevel"},
      {nested, "nests or repeats too much"},
      {R"({"type": "Sequence", "pretokenizers": [)" + many + "," + byte_level + "]}", "nests or repeats too much"},
      {split_of(x, R"("Odd")", "false"), "pre_tokenizer behavior Odd"},
      {split_of(x, isolated, "1"), "pre_tokenizer.invert is 1; expected true or false"},
      {split_of("{}", isolated, "false"), "pre_tokenizer pattern is not supported yet"},
      {split_of(R"({"Regex": "(x"})", isolated, "false"), "pre_tokenizer.pattern: pattern '(x' cannot be compiled"},
      {split_of(R"({"Regex": "x$"})", isolated, "false"), "pre_tokenizer.pattern: pattern 'x$' has '$'"},
      {R"({"type": "Sequence", "pretokenizers": [{"type": "Metaspace", "replacement": "_"}, )" + byte_level + "]}",
       "type ByteLevel after Metaspace"},
      {R"({"type": "Metaspace", "replacement": "ab"})", "pre_tokenizer.replacement is \"ab\"; expected one character"},
      {R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"})", "pre_tokenizer.prepend_scheme is"},
      {R"({"type": "Metaspace", "replacement": "_", "add_prefix_space": false})", "pre_tokenizer.add_prefix_space is"},
  };
  for (const auto& row : rows) {
    const std::string& json = row.first;
    CAPTURE(json);
    const std::string said = test::refusal([&] { made(json); });
    CAPTURE(said);
    CHECK(said.find("| temper: tokenizer.json: ") != std::string::npos);
    CHECK(said.find(row.second) != std::string::npos);
  }
}

}  // namespace pre_tokenizer_test
