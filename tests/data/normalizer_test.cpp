// SPDX-License-Identifier: MIT
#include "temper/data/normalizer.hpp"
#include <doctest/doctest.h>
#include <support/refusal.hpp>
#include "temper/io/json.hpp"

#include <string>
#include <utility>
#include <vector>

namespace normalizer_test {

using namespace temper;
using temper::test::refusal;

Normalizer made(const std::string& json) {
  return Normalizer::from_json(parse_json(json, "test"), "normalizer", "tokenizer.json");
}

std::string written(const Normalizer& normalizer, const std::string& text) {
  PatternScratch scratch;
  const auto changed = normalizer(text, scratch);
  return changed ? changed->text() : text;
}

TEST_CASE("normalizer: every step alone and in sequence writes what is recorded, and its places lie in the text") {
  const Json rows = read_json(TEMPER_TESTS "/golden/tokenizer/normalizers.json");
  REQUIRE(rows.size() > 200);
  for (const Json& row : rows) {
    CAPTURE(to_text(row));
    const Normalizer normalizer = made(to_text(row[0]));
    const auto text = row[1].get<std::string>();
    CHECK(written(normalizer, text) == row[2].get<std::string>());
    PatternScratch scratch;
    const auto changed = normalizer(text, scratch);
    if (!changed) continue;
    const Index size = static_cast<Index>(text.size()), made_size = static_cast<Index>(changed->text().size());
    std::size_t hint = 0;
    for (Index i = 0; i < made_size; ++i) {
      const TextSpan one = changed->original({i, i + 1});
      CHECK(one.begin >= 0);
      CHECK(one.begin <= one.end);
      CHECK(one.end <= size);
      CHECK(changed->original({i, i + 1}, hint) == one);
    }
  }
}

TEST_CASE("normalizer: places are seen through all steps") {
  const Normalizer all = made(R"({"type": "Sequence", "normalizers": [{"type": "Strip"}, {"type": "NFKD"},
    {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "Prepend", "prepend": "_"},
    {"type": "Replace", "pattern": {"String": " "}, "content": "--"}]})");
  PatternScratch scratch;
  const auto changed = all("  E\xcc\x81\xef\xac\x81 x ", scratch);  // E, an accent, the ligature fi, a space, x
  REQUIRE(changed.has_value());
  CHECK(changed->text() == "_efi--x");
  CHECK(changed->original({0, 1}) == TextSpan{2, 2});  // put in before what is left of the text
  CHECK(changed->original({0, 2}) == TextSpan{2, 3});
  CHECK(changed->original({2, 3}) == TextSpan{5, 8});  // f and i both stand for the ligature
  CHECK(changed->original({3, 4}) == TextSpan{5, 8});
  CHECK(changed->original({4, 5}) == TextSpan{8, 9});
  CHECK(changed->original({4, 7}) == TextSpan{8, 10});
}

TEST_CASE("normalizer: a text that stays as it is is not copied") {
  PatternScratch scratch;
  CHECK_FALSE(Normalizer(UnicodeForm::nfc)("plain caf\xc3\xa9 \xe4\xbd\xa0", scratch).has_value());
  CHECK_FALSE(Normalizer()("e\xcc\x81", scratch).has_value());
  CHECK_FALSE(made(R"({"type": "Lowercase"})")("small", scratch).has_value());
  CHECK_FALSE(made(R"({"type": "Prepend", "prepend": "x"})")("", scratch).has_value());
}

TEST_CASE("normalizer: steps that are not known, nest or grow too much are refused") {
  CHECK(refusal([] { made(R"({"type": "Precompiled"})"); }).starts_with("tokenizer.not_supported | "));
  CHECK(refusal([] {
          made(R"({"type": "Replace", "pattern": {"Regex": "("}, "content": ""})");
        }).starts_with("tokenizer.pattern | temper: tokenizer.json: normalizer.pattern: "));
  std::string nested = R"({"type": "NFC"})";
  for (int i = 0; i < 20; ++i) nested = R"({"type": "Sequence", "normalizers": [)" + nested + "]}";
  CHECK(refusal([&] { made(nested); }).starts_with("tokenizer.too_large | "));
  const std::string long_content = R"({"type": "Prepend", "prepend": ")" + std::string(5000, 'x') + "\"}";
  CHECK(refusal([&] { made(long_content); }).starts_with("tokenizer.too_large | "));
}

}  // namespace normalizer_test
