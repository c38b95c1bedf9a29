// SPDX-License-Identifier: MIT
#include "temper/data/pre_tokenizer.hpp"
#include <doctest/doctest.h>
#include <support/refusal.hpp>
#include "temper/io/json.hpp"

#include <string>
#include <utility>
#include <vector>

using namespace temper;

namespace {

using Texts = std::vector<std::string>;

PreTokenizer made(std::string_view json) {
  return PreTokenizer::from_json(parse_json(json, "test"), "pre_tokenizer", "tokenizer.json");
}

// The words of 'text' after the stage, given as JSON, and a ByteLevel that changes nothing.
Texts words(const std::string& stage, std::string_view text) {
  const PreTokenizer all = made(R"({"type": "Sequence", "pretokenizers": [)" + stage +
                                R"(, {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})");
  PreTokenizerScratch scratch;
  all.split(text, scratch);
  Texts found;
  for (const Word& word : scratch.words)
    found.emplace_back(
        text.substr(static_cast<std::size_t>(word.begin), static_cast<std::size_t>(word.end - word.begin)));
  return found;
}

// A Split of what to_text() gives.
std::string split_of(const std::string& pattern, const std::string& behavior, const std::string& invert) {
  return R"({"type": "Split", "pattern": )" + pattern + R"(, "behavior": )" + behavior + R"(, "invert": )" + invert +
         "}";
}

}  // namespace

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

TEST_CASE("pre_tokenizer: ByteLevel puts a space before a text that has none") {
  const PreTokenizer byte_level = made(R"({"type": "ByteLevel", "add_prefix_space": true})");
  PreTokenizerScratch scratch;
  byte_level.split("ab c", scratch);
  REQUIRE(scratch.words.size() == 2);
  CHECK(scratch.words[0].space_before);
  CHECK(scratch.words[0].end == 2);
  CHECK_FALSE(scratch.words[1].space_before);
  CHECK(scratch.words[1].begin == 2);
  byte_level.split(" ab", scratch);
  CHECK_FALSE(scratch.words.at(0).space_before);
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
      {R"({"type": "Sequence", "pretokenizers": []})", "pre_tokenizer without ByteLevel at its end"},
      {nested, "nests or repeats too much"},
      {R"({"type": "Sequence", "pretokenizers": [)" + many + "," + byte_level + "]}", "nests or repeats too much"},
      {split_of(x, isolated, "false"), "pre_tokenizer without ByteLevel at its end"},
      {split_of(x, R"("Odd")", "false"), "pre_tokenizer behavior Odd"},
      {split_of(x, isolated, "1"), "pre_tokenizer.invert is 1; expected true or false"},
      {split_of("{}", isolated, "false"), "pre_tokenizer pattern is not supported yet"},
      {split_of(R"({"Regex": "(x"})", isolated, "false"), "pre_tokenizer.pattern: pattern '(x' cannot be compiled"},
      {split_of(R"({"Regex": "x$"})", isolated, "false"), "pre_tokenizer.pattern: pattern 'x$' has '$'"},
      {"null", "pre_tokenizer null"},
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
