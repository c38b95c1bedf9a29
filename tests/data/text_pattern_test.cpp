// SPDX-License-Identifier: MIT
#include "temper/data/text_pattern.hpp"
#include <doctest/doctest.h>
#include <support/refusal.hpp>

#include <string>
#include <utility>
#include <vector>

namespace text_pattern_test {

using namespace temper;
using temper::test::refusal;

using Ranges = std::vector<std::pair<Index, Index>>;

Ranges matches(const TextPattern& pattern, std::string_view text) {
  PatternScratch scratch;
  Ranges found;
  pattern.for_each(text, scratch, [&](Index begin, Index end) { found.emplace_back(begin, end); });
  return found;
}

TEST_CASE("text_pattern: matches are leftmost, and none that is empty follows another at once") {
  CHECK(matches(TextPattern::regex("b|ab"), "abab") == Ranges{{0, 2}, {2, 4}});
  CHECK(matches(TextPattern::regex("a*"), "ba") == Ranges{{0, 0}, {1, 2}});
  CHECK(matches(TextPattern::regex("x*"), "a\xf0\x9f\x98\x80") == Ranges{{0, 0}, {1, 1}, {5, 5}});  // whole characters
  CHECK(matches(TextPattern::regex("x*"), "") == Ranges{{0, 0}});
  CHECK(matches(TextPattern::regex("x"), "").empty());
  CHECK(matches(TextPattern::regex("(?<=a)b"), "abb") == Ranges{{1, 2}});  // sees what stands before
}

TEST_CASE("text_pattern: a literal is not an expression") {
  CHECK(matches(TextPattern::literal(".*"), "a.*.*") == Ranges{{1, 3}, {3, 5}});
  CHECK(matches(TextPattern::literal("\\E(["), "\\E([") == Ranges{{0, 4}});
  CHECK(matches(TextPattern::literal("\xe4\xbd\xa0"), "a\xe4\xbd\xa0") == Ranges{{1, 4}});
  CHECK(matches(TextPattern::literal("a"), "A").empty());
}

TEST_CASE("text_pattern: an expression that cannot be compiled is refused, shown without control characters") {
  for (const char* pattern : {"(a", "a)", "[a", "a**", "*", "[z-a]", "a{3,2}", "a{99999999999}", "\\p{Nonsense}",
                              "\\p{xx}", "\\x{110000}", "\\x{d800}", "\\x{zz}", "(?<=a*)b", "(?<=a+)b"}) {
    CAPTURE(pattern);
    const std::string said = refusal([&] { TextPattern::regex(pattern); });
    CHECK(said.starts_with("tokenizer.pattern | temper: pattern '" + std::string(pattern) + "' cannot be compiled: "));
  }
  const std::string said = refusal([] { TextPattern::regex("(\x1b[2J"); });
  CHECK(said.starts_with("tokenizer.pattern | temper: pattern '(\\u001b[2J'"));
}

TEST_CASE("text_pattern: patterns beyond the cap, or nested beyond PCRE2's, are refused") {
  const std::string large(TextPattern::max_pattern_bytes + 1, 'a');
  CHECK(refusal([&] { TextPattern::regex(large); }).starts_with("tokenizer.too_large | "));
  CHECK(refusal([&] { TextPattern::literal(large); }).starts_with("tokenizer.too_large | "));
  CHECK(refusal([&] { TextPattern::regex(large.substr(0, 10'000)); }) == "nothing");
  const std::string nested = std::string(10'000, '(') + "a" + std::string(10'000, ')');
  const std::string said = refusal([&] { TextPattern::regex(nested); });
  CHECK(said.starts_with("tokenizer.pattern | "));
  CHECK(said.size() < 1000);
}

TEST_CASE("text_pattern: an expression that would search for ever gives up with a clear error") {
  const TextPattern pattern = TextPattern::regex("(?:a|aa|aaa)+[bc]");
  CHECK(matches(pattern, "aaab") == Ranges{{0, 4}});
  const std::string said = refusal([&] { matches(pattern, "xx" + std::string(200, 'a')); });
  CAPTURE(said);
  CHECK(
      said.starts_with("text.pattern_limit | temper: pattern '(?:a|aa|aaa)+[bc]' gives up at byte 0 of a text of 202 "
                       "bytes: match limit exceeded"));
}

TEST_CASE("text_pattern: a match that needs more stack than the first one gets it") {
  const std::string text(300'000, 'a');
  CHECK(matches(TextPattern::regex("(?:a|b)+(?!c)"), text) == Ranges{{0, 300'000}});
  const TextPattern pattern = TextPattern::regex("(?:a|b)+(?!c)");
  PatternScratch scratch;
  for (int again = 0; again < 2; ++again) {
    Index covered = 0;
    pattern.for_each(text, scratch, [&](Index begin, Index end) { covered += end - begin; });
    CHECK(covered == 300'000);
  }
}

}  // namespace text_pattern_test
