// SPDX-License-Identifier: MIT
#include "temper/data/part_pattern.hpp"
#include <doctest/doctest.h>
#include <support/refusal.hpp>
#include "temper/io/json.hpp"

#include <string>

namespace part_pattern_test {

using namespace temper;

int matches(const std::string& pattern, std::string_view text) {
  const Json json = parse_json(R"({"pattern": )" + pattern + "}", "test");
  PatternScratch scratch;
  int found = 0;
  pattern_of(TokenizerPart(json, "part", "tokenizer.json")).for_each(text, scratch, [&](Index, Index) { ++found; });
  return found;
}

TEST_CASE("part_pattern: an expression or a text") {
  CHECK(matches(R"({"Regex": "a."})", "a.abab") == 3);
  CHECK(matches(R"({"String": "a."})", "a.abab") == 1);
  CHECK(matches(R"({"String": ""})", "ab") == 3);
  CHECK(matches(R"({"String": "aa"})", "aaaaa") == 2);
}

TEST_CASE("part_pattern: errors name the part") {
  const auto said = [](const std::string& pattern) { return test::refusal([&] { matches(pattern, ""); }); };
  CHECK(said(R"({"Regex": "("})").starts_with("tokenizer.pattern | temper: tokenizer.json: part.pattern: pattern '('"));
  CHECK(said("{}").starts_with("tokenizer.not_supported | temper: tokenizer.json: part pattern"));
  CHECK(said("null").starts_with("tokenizer.field | temper: tokenizer.json: part.pattern"));
}

}  // namespace part_pattern_test
