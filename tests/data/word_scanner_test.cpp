// SPDX-License-Identifier: MIT
// Each scanner against the expression it stands for, in PCRE2, on random texts of the characters that matter.
#include "temper/data/word_scanner.hpp"
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace word_scanner_test {

using namespace temper;

using Cuts = std::vector<std::pair<Index, Index>>;

// Many short pieces of a few kinds, so that every neighbourhood comes up.
std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> pieces{" ",
                                               " ",
                                               "  ",
                                               "\n",
                                               "\r",
                                               "\t",
                                               "\xc2\xa0",
                                               "\xe3\x80\x80",
                                               "\xe2\x80\xa8",
                                               "\x0b",  // white space
                                               "a",
                                               "s",
                                               "l",
                                               "e",
                                               "re",
                                               "ll",
                                               "ve",
                                               "\xc3\xa9",
                                               "\xd0\xb4",  // small letters
                                               "A",
                                               "S",
                                               "L",
                                               "T",
                                               "\xc3\x89",
                                               "\xc7\x85",
                                               "\xc4\xb0",  // capitals, a title letter
                                               "\xe4\xbd\xa0",
                                               "\xca\xb0",
                                               "\xe0\xa4\xa8",
                                               "\xf0\x90\x90\x80",
                                               "\xf0\xa0\x80\x80",  // letters of any case
                                               "\xcc\x81",
                                               "\xe0\xa5\x8d",
                                               "\xe2\x83\xa3",
                                               "\xf3\xa0\x84\x80",  // marks
                                               "1",
                                               "2",
                                               "\xc2\xb2",
                                               "\xd9\xa3",
                                               "\xe2\x85\xa3",
                                               "\xf0\x9d\x9f\x98",  // numbers
                                               "'",
                                               "'",
                                               "'s",
                                               "'RE",
                                               "'ll",
                                               "'\xc5\xbf",
                                               "\xe2\x80\x99",
                                               "/",
                                               "/",
                                               ".",
                                               "_",
                                               "-",  // signs
                                               "\xf0\x9f\x98\x80",
                                               "\xe2\x80\x8d",
                                               "\xcd\xb8",
                                               "\xee\x80\x80",
                                               "\xf4\x8f\xbf\xbf",
                                               std::string(1, '\0')};
  std::string text;
  const std::size_t kinds = 1 + random() % pieces.size();
  const std::size_t first = random() % pieces.size();
  for (std::size_t i = random() % 24; i > 0; --i) text += pieces[(first + random() % kinds) % pieces.size()];
  return text;
}

TEST_CASE("word_scanner: every scanner finds the matches of its expression") {
  std::mt19937 random(17);
  PatternScratch scratch;
  const auto patterns = WordScanner::patterns();
  REQUIRE(patterns.size() == 6);
  for (const std::string& pattern : patterns) {
    const auto scanner = WordScanner::of(pattern);
    REQUIRE(scanner.has_value());
    const TextPattern expression = TextPattern::regex(pattern);
    int wrong = 0;
    for (int round = 0; round < 40'000 && wrong < 3; ++round) {
      const std::string text = random_text(random);
      Cuts by_scanner, by_expression;
      scanner->for_each(text, [&](Index begin, Index end) { by_scanner.emplace_back(begin, end); });
      expression.for_each(text, scratch, [&](Index begin, Index end) { by_expression.emplace_back(begin, end); });
      if (by_scanner == by_expression) continue;
      ++wrong;
      FAIL_CHECK(pattern << "\ndiffers on: " << text);
    }
  }
}

TEST_CASE("word_scanner: every character alone, after a letter and before one") {
  PatternScratch scratch;
  std::string text;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    if (c >= 0x40000 && c % 251 != 0) continue;  // planes of one kind
    text += 'a';
    append_code_point(text, c);
    append_code_point(text, c);
    text += "B ";
  }
  for (const std::string& pattern : WordScanner::patterns()) {
    Cuts by_scanner, by_expression;
    WordScanner::of(pattern)->for_each(text, [&](Index b, Index e) { by_scanner.emplace_back(b, e); });
    TextPattern::regex(pattern).for_each(text, scratch, [&](Index b, Index e) { by_expression.emplace_back(b, e); });
    CHECK(by_scanner == by_expression);
  }
}

TEST_CASE("word_scanner: an expression that is not known has none") {
  CHECK_FALSE(WordScanner::of("").has_value());
  CHECK_FALSE(WordScanner::of(R"(\p{L}+)").has_value());
}

}  // namespace word_scanner_test
