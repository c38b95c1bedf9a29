// SPDX-License-Identifier: MIT
// What each construct is rewritten to or refused as; and, through TextPattern, that what is rewritten matches what
// Oniguruma matches where PCRE2 alone would not.
#include <doctest/doctest.h>
#include "temper/data/text_pattern.hpp"

#include <string>
#include <utility>
#include <vector>

namespace regex_dialect_test {

using namespace temper;

using Ranges = std::vector<std::pair<Index, Index>>;

Ranges matches(std::string_view pattern, std::string_view text) {
  PatternScratch scratch;
  Ranges found;
  TextPattern::regex(pattern).for_each(text, scratch, [&](Index begin, Index end) { found.emplace_back(begin, end); });
  return found;
}

TEST_CASE("regex_dialect: what the two engines read differently is refused, shown as it is written") {
  const std::pair<const char*, const char*> rows[] = {
      {"^a", "^"},        {"a$", "$"},           {"(?P<n>a)", "(?P<"},   {"(?<n>a)", "(?<n"},
      {"(?i)a", "(?i)"},  {"(?m:a)", "(?m:"},    {"(?-i:a)", "(?-i"},    {"(?#c)", "(?#c"},
      {"(?~a)", "(?~a"},  {"(?(1)a)", "(?(1"},   {"(?R)", "(?R)"},       {"(?C1)", "(?C1"},
      {"(?|a)", "(?|a"},  {"(?", "(?"},          {"(*FAIL)", "(*FA"},    {"(*UCP)a", "(*UC"},
      {"a{2}+", "{2}+"},  {"a{1,3}+", "{1,3}+"}, {"[]a]", "]"},          {"[^]a]", "]"},
      {"[a[b]]", "[b"},   {"[[:alpha:]]", "[:"}, {"[a&&b]", "&&"},       {"a\\", "\\"},
      {"[a\\", "\\"},     {"[\\W]", "\\W"},      {"[\\A]", "\\A"},       {"[\\z]", "\\z"},
      {"\\ba", "\\b"},    {"[\\b]", "\\b"},      {"\\B", "\\B"},         {"\\h", "\\h"},
      {"\\H", "\\H"},     {"\\R", "\\R"},        {"\\X", "\\X"},         {"\\K", "\\K"},
      {"\\G", "\\G"},     {"\\Z", "\\Z"},        {"\\C", "\\C"},         {"\\N", "\\N"},
      {"\\V", "\\V"},     {"\\Qa\\E", "\\Q"},    {"\\E", "\\E"},         {"\\k<n>", "\\k"},
      {"\\g<1>", "\\g"},  {"(a)\\1", "\\1"},     {"\\0", "\\0"},         {"\\cA", "\\c"},
      {"\\o{7}", "\\o"},  {"\\pL", "\\p"},       {"\\PL", "\\P"},        {"\\p{L", "\\p{"},
      {"\\p{}", "\\p{}"}, {"\\p{^}", "\\p{^}"},  {"\\p{L1}", "\\p{L1}"}, {"\\p{Script=Han}", "\\p{Script=Han}"},
      {"\\x{41", "\\x{"}, {"\\xe9", "\\x"},      {"\\x4", "\\x"},        {"\\x", "\\x"},
      {"\\u12", "\\u"},   {"\\u12g4", "\\u"},    {"\\u{41}", "\\u"},     {"\\U00000041", "\\U"},
  };
  for (const auto& row : rows) {
    const char* const pattern = row.first;
    CAPTURE(pattern);
    CHECK(RegexDialect(pattern).refused() == row.second);
    CHECK_THROWS_WITH_AS(TextPattern::regex(pattern), doctest::Contains("which is not supported yet"), Error);
  }
}

TEST_CASE("regex_dialect: the patterns of known tokenizers are taken as they are, but for white space") {
  const char* const llama3 =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  const RegexDialect dialect(llama3);
  CHECK(dialect.refused().empty());
  CHECK(dialect.pcre() == R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| )"
                          R"(?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}*[\r\n]+|)"
                          R"(\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+)");
}

TEST_CASE("regex_dialect: what is rewritten matches what Oniguruma matches") {
  struct Row {
    const char* pattern;
    std::string_view text;
    Ranges expected;
  };
  const Row rows[] = {
      {"\\s+", "a\x0b\xc2\x85\xe3\x80\x80z", {{1, 7}}},
      {"\\s", "\xe1\xa0\x8e\xe2\x80\x8b", {}},  // U+180E, U+200B: PCRE2's own \s has the first
      {"\\S+", " a\xe1\xa0\x8e ", {{1, 5}}},
      {"[^\\s]+", " a\xe1\xa0\x8e ", {{1, 5}}},
      {"[^\\S]+", "a \tb", {{1, 3}}},
      {"\\d+", "a1\xd9\xa1\xc2\xb2", {{1, 4}}},  // an Arabic one, but not a superscript two
      {"[\\D]+", "1a\xc2\xb2\x32", {{1, 4}}},
      {"\\w+", "e\xcc\x81_\xe2\x80\xbf\x31 ", {{0, 8}}},  // marks and connectors
      {"[\\w-]+", "e\xcc\x81-x!", {{0, 5}}},
      {"\\W+", "e\xcc\x81!? x", {{3, 6}}},
      {"\\v", "\n\x0b\x0c\r", {{1, 2}}},  // not all vertical space
      {"[\\v]", "\n\x0b", {{1, 2}}},
      {"a{,2}", "aaa", {{0, 2}, {2, 3}}},
      {"a{2,}", "aaaa a", {{0, 4}}},
      {"a{2}", "aaaaa", {{0, 2}, {2, 4}}},
      {"a{x}", "a{x} aa", {{0, 4}}},
      {"a{,}", "a{,} aa", {{0, 4}}},
      {"a{}", "a{} aa", {{0, 3}}},
      {"a{1", "a{1", {{0, 3}}},
      {"\\u0061\\u00e9", "xa\xc3\xa9", {{1, 4}}},
      {"[\\u4e00-\\u9fff]+", "a\xe4\xbd\xa0\xe5\xa5\xbd", {{1, 7}}},
      {"\\x41\\x{e9}", "A\xc3\xa9", {{0, 3}}},
      {"\\p{Greek}+", "\xce\xb1\xcd\x82", {{0, 2}}},  // U+0342 is shared by scripts: an extension of Greek
      {"\\p{^Greek}", "\xce\xb1z", {{2, 3}}},
      {"\\P{Greek}", "\xce\xb1z", {{2, 3}}},
      {"\\p{^L}+", "a12b", {{1, 3}}},
      {"[\\p{Lu}\\p{Nd}]+", "aB1c", {{1, 3}}},
      {"\\Aa", "aa", {{0, 1}}},
      {"a\\z", "aa\naa", {{4, 5}}},
      {"(?i:ab)c", "ABc aBC", {{0, 3}}},
      {"(?<=a)b|(?<!a)c", "abacc", {{1, 2}, {4, 5}}},
      {"a(?=b)|c(?!b)", "abcbc", {{0, 1}, {4, 5}}},
      {"(?>a+)a|b", "aaab", {{3, 4}}},
      {"a++a|b", "aaab", {{3, 4}}},
      {".", "\n\r", {{1, 2}}},
      {"\\.\\$\\^\\{\\[", ".$^{[", {{0, 5}}},
      {"[.$^(){}*+?|]+", "a.$^(){}*+?|", {{1, 12}}},
      {"(a)(?:b)", "ab", {{0, 2}}},
      {"\\a\\e\\f\\t", "\x07\x1b\f\t", {{0, 4}}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pattern);
    CHECK(matches(row.pattern, row.text) == row.expected);
  }
}

}  // namespace regex_dialect_test
