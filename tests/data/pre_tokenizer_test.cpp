// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <temper/data/pre_tokenizer.hpp>
#include <temper/io/json.hpp>

#include <string>
#include <vector>

using namespace temper;

namespace {

using Texts = std::vector<std::string>;

// The words of 'text' after the stages and a ByteLevel that changes nothing.
Texts words(const Json& stage, std::string_view text) {
  const Json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  const Json all = {{"type", "Sequence"}, {"pretokenizers", Json::array({stage, byte_level})}};
  const PreTokenizer made = PreTokenizer::from_json(all, "pre_tokenizer", "tokenizer.json");
  PreTokenizerScratch scratch;
  made.split(text, scratch);
  Texts found;
  for (const Word& word : scratch.words)
    found.emplace_back(
        text.substr(static_cast<std::size_t>(word.begin), static_cast<std::size_t>(word.end - word.begin)));
  return found;
}

}  // namespace

TEST_CASE("pre_tokenizer: every behavior of Split cuts as recorded") {
  const Json rows = read_json(TEMPER_TESTS "/golden/tokenizer/splits.json");
  REQUIRE(rows.size() == 630);
  for (const Json& row : rows) {
    CAPTURE(row.dump());
    const Json stage = {{"type", "Split"}, {"pattern", row[0]}, {"behavior", row[1]}, {"invert", row[2]}};
    CHECK(words(stage, row[3].get<std::string>()) == row[4].get<Texts>());
  }
}

TEST_CASE("pre_tokenizer: Digits cuts out runs or single digits") {
  CHECK(words({{"type", "Digits"}, {"individual_digits", true}}, "a12b3") == Texts{"a", "1", "2", "b", "3"});
  CHECK(words({{"type", "Digits"}, {"individual_digits", false}}, "a12b3") == Texts{"a", "12", "b", "3"});
  CHECK(words({{"type", "Digits"}, {"individual_digits", true}}, "\xc2\xbd\xe2\x85\xa3") ==
        Texts{"\xc2\xbd", "\xe2\x85\xa3"});  // one half, Roman four
}

TEST_CASE("pre_tokenizer: ByteLevel puts a space before a text that has none") {
  const PreTokenizer made =
      PreTokenizer::from_json({{"type", "ByteLevel"}, {"add_prefix_space", true}}, "pre_tokenizer", "tokenizer.json");
  PreTokenizerScratch scratch;
  made.split("ab c", scratch);
  REQUIRE(scratch.words.size() == 2);
  CHECK(scratch.words[0].space_before);
  CHECK(scratch.words[0].end == 2);
  CHECK_FALSE(scratch.words[1].space_before);
  CHECK(scratch.words[1].begin == 2);
  made.split(" ab", scratch);
  CHECK_FALSE(scratch.words.at(0).space_before);
}

TEST_CASE("pre_tokenizer: a stage after ByteLevel, an unknown behavior and endless nesting are refused") {
  const Json byte_level = {{"type", "ByteLevel"}};
  Json nested = byte_level;
  for (int i = 0; i < 20; ++i) nested = {{"type", "Sequence"}, {"pretokenizers", Json::array({nested})}};
  for (const Json& json : {Json{{"type", "Sequence"}, {"pretokenizers", {byte_level, byte_level}}},
                           Json{{"type", "Sequence"}, {"pretokenizers", Json::array()}}, nested,
                           Json{{"type", "Split"}, {"behavior", "Isolated"}, {"pattern", {{"String", "x"}}}}})
    CHECK_THROWS_AS(PreTokenizer::from_json(json, "pre_tokenizer", "tokenizer.json"), Error);
  const Json odd = {{"type", "Split"}, {"behavior", "Odd"}, {"pattern", {{"String", "x"}}}};
  CHECK_THROWS_WITH(words(odd, "x"), doctest::Contains("pre_tokenizer.pretokenizers[0] behavior Odd"));
  const Json bad = {{"type", "Split"}, {"behavior", "Isolated"}, {"pattern", {{"Regex", "(x"}}}};
  CHECK_THROWS_WITH(words(bad, "x"), doctest::Contains("tokenizer.json: pre_tokenizer.pretokenizers[0].pattern"));
}
