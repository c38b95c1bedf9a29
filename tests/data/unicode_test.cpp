// SPDX-License-Identifier: MIT
#include "temper/data/unicode.hpp"
#include <doctest/doctest.h>
#include <support/refusal.hpp>

#include <string>
#include <vector>

namespace unicode_test {

using namespace temper;

TEST_CASE("unicode: what stands at the start of a text is whole, cut or wrong") {
  struct Row {
    std::string_view text;
    std::size_t length;
    Utf8 kind;
  };
  const Row rows[] = {
      {"", 0, Utf8::cut},
      {"a\xff", 1, Utf8::whole},
      {"\xc2\x80", 2, Utf8::whole},
      {"\xc1\xbf", 1, Utf8::wrong},  // longer than needed
      {"\x80", 1, Utf8::wrong},
      {"\xdf", 1, Utf8::cut},
      {"\xdf!", 1, Utf8::wrong},
      {"\xe0\xa0\x80", 3, Utf8::whole},
      {"\xe0\x9f\xbf", 1, Utf8::wrong},  // longer than needed
      {"\xed\x9f\xbf", 3, Utf8::whole},
      {"\xed\xa0\x80", 1, Utf8::wrong},  // a surrogate
      {"\xe4\xbd", 2, Utf8::cut},
      {"\xe4\xbd!", 2, Utf8::wrong},
      {"\xf0\x90\x80\x80", 4, Utf8::whole},
      {"\xf0\x8f\xbf\xbf", 1, Utf8::wrong},
      {"\xf4\x8f\xbf\xbf", 4, Utf8::whole},
      {"\xf4\x90\x80\x80", 1, Utf8::wrong},  // above U+10FFFF
      {"\xf5\x80\x80\x80", 1, Utf8::wrong},
      {"\xf0\x9f\x98", 3, Utf8::cut},
      {"\xf0\x9f\x98\x41", 3, Utf8::wrong},
  };
  for (const Row& row : rows) {
    CAPTURE(&row - rows);
    const Utf8Step step = utf8_step(row.text);
    CHECK(step.length == row.length);
    CHECK(step.kind == row.kind);
  }
}

TEST_CASE("unicode: every code point is written and read back") {
  std::string text;
  std::size_t wrong = 0;
  for (char32_t c = 0; c <= 0x10ffff; ++c) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    text.clear();
    append_code_point(text, c);
    const CodePoint read = code_point_at(text, 0);
    const Utf8Step step = utf8_step(text);
    const bool fits = read.value == c && read.length == text.size() && step.kind == Utf8::whole &&
                      step.length == text.size() && previous_character("x" + text, text.size() + 1) == 1;
    if (!fits) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("unicode: the first invalid byte is found wherever it stands") {
  for (std::size_t before = 0; before < 40; ++before) {
    const std::string start(before, 'a');
    CHECK(valid_utf8_prefix(start) == before);
    CHECK(valid_utf8_prefix(start + "\xff" + start) == before);
    CHECK(valid_utf8_prefix(start + "\xe4\xbd\xa0" + start) == 2 * before + 3);
    CHECK(valid_utf8_prefix("\xc3\xa9" + start + "\xe4\xbd") == before + 2);
  }
  CHECK(test::refusal([] { require_utf8("caf\xc3\xa9"); }) == "nothing");
  const std::string said = test::refusal([] { require_utf8("caf\xe9!"); });
  CHECK(said.starts_with("text.not_utf8 | temper: byte 3 (0xe9) of a text of 5 bytes is not valid UTF-8"));
}

TEST_CASE("unicode: each maximal part of a character that is not one becomes U+FFFD") {
  const std::string mark = "\xef\xbf\xbd";
  const std::vector<std::pair<std::string, std::string>> rows{
      {"caf\xc3\xa9", "caf\xc3\xa9"},
      {"\xff\xfe", mark + mark},
      {"a\xe4\xbdz", "a" + mark + "z"},
      {"\xf0\x9f\x98", mark},
      {"\xed\xa0\x80", mark + mark + mark},
      {"\xf0\x9f\xf0\x9f\x98\x80", mark + "\xf0\x9f\x98\x80"},
      {"\xc0\x80", mark + mark},
  };
  for (const auto& row : rows) CHECK(replace_invalid_utf8(row.first) == row.second);
}

TEST_CASE("unicode: white space is the property's 25 characters, digits are those of category N") {
  std::vector<char32_t> white;
  for (char32_t c = 0; c <= 0x10ffff; ++c)
    if (is_white_space(c)) white.push_back(c);
  const std::vector<char32_t> expected{0x9,    0xa,    0xb,    0xc,    0xd,    0x20,   0x85,   0xa0,   0x1680,
                                       0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008,
                                       0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000};
  CHECK(white == expected);
  for (const char32_t c : {U'0', U'9', U'\u0661', U'\u00b2', U'\u2163', U'\u00bd'}) CHECK(is_numeric(c));
  for (const char32_t c : {U'a', U'/', U':', U'\u4e00', U' '}) CHECK_FALSE(is_numeric(c));
}

}  // namespace unicode_test
