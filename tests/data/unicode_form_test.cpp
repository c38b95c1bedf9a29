// SPDX-License-Identifier: MIT
#include "temper/data/unicode_form.hpp"
#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace unicode_form_test {

using namespace temper;

TEST_CASE("unicode_form: NFC equals utf8proc's on random text, and ranges cover the original in order") {
  std::mt19937 random(3);
  const std::vector<std::pair<char32_t, char32_t>> pools{{0x20, 0x7f},     {0xc0, 0x180},    {0x300, 0x34f},
                                                         {0x1100, 0x11ff}, {0xac00, 0xac40}, {0x900, 0xdff},
                                                         {0x3040, 0x30ff}, {0xf900, 0xfb4f}, {0x1d150, 0x1d170}};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) {
      const auto [low, high] = pools[random() % pools.size()];
      const char32_t c = low + static_cast<char32_t>(random() % (high - low));
      if (c != 0x11a7 && !younger_than_reference(c)) append_code_point(text, c);  // where the two are to differ
    }
    utf8proc_uint8_t* const reference = utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t*>(text.c_str()));
    REQUIRE(reference != nullptr);
    const std::string expected(reinterpret_cast<const char*>(reference));
    std::free(reference);
    const auto changed = to_form(UnicodeForm::nfc, text);
    CAPTURE(text);
    CHECK((changed ? changed->text() : text) == expected);
    CHECK(changed.has_value() == (text != expected));
    if (!changed) continue;
    const Index size = static_cast<Index>(expected.size());
    CHECK(changed->original({0, size}) == TextSpan{0, static_cast<Index>(text.size())});
  }
}

TEST_CASE("unicode_form: a composed character stands for all bytes it came from, the others for their own") {
  const auto changed = to_form(UnicodeForm::nfc, "xe\xcc\x81yz");
  REQUIRE(changed.has_value());
  CHECK(changed->text() == "x\xc3\xa9yz");
  CHECK(changed->original({0, 1}) == TextSpan{0, 1});
  CHECK(changed->original({1, 3}) == TextSpan{1, 4});
  CHECK(changed->original({2, 3}) == TextSpan{1, 4});
  CHECK(changed->original({3, 4}) == TextSpan{4, 5});
  CHECK(changed->original({4, 5}) == TextSpan{5, 6});
}

TEST_CASE("unicode_form: text that is composed already is not copied") {
  CHECK_FALSE(to_form(UnicodeForm::nfc, "plain caf\xc3\xa9 \xe4\xbd\xa0").has_value());
  CHECK_FALSE(to_form(UnicodeForm::nfc, "").has_value());
}

TEST_CASE("unicode_form: the four forms of one text") {
  const std::string text = "\xef\xac\x81\xc3\xa9";  // the ligature fi, e with an accent
  const std::pair<UnicodeForm, const char*> rows[] = {{UnicodeForm::nfd,
                                                       "\xef\xac\x81"
                                                       "e\xcc\x81"},
                                                      {UnicodeForm::nfkc, "fi\xc3\xa9"},
                                                      {UnicodeForm::nfkd, "fie\xcc\x81"}};
  CHECK_FALSE(to_form(UnicodeForm::nfc, text).has_value());
  for (const auto& [form, expected] : rows) {
    const auto changed = to_form(form, text);
    REQUIRE(changed.has_value());
    CHECK(changed->text() == expected);
  }
}

TEST_CASE(
    "unicode_form: characters younger than the reference's tables are left alone, and no final consonant is none") {
  CHECK(younger_than_reference(0x32ff));
  CHECK(younger_than_reference(0x7fd));
  CHECK(younger_than_reference(0x1fbf9));
  CHECK_FALSE(younger_than_reference(0x32fe));
  CHECK_FALSE(younger_than_reference(0x1fbfa));
  CHECK_FALSE(to_form(UnicodeForm::nfkc, "\xe3\x8b\xbf").has_value());
  const auto changed = to_form(UnicodeForm::nfc, "\xe1\x84\x82\xe1\x85\xa9\xe1\x86\xa7");  // U+1102 U+1169 U+11A7
  REQUIRE(changed.has_value());
  CHECK(changed->text() == "\xeb\x85\xb8\xe1\x86\xa7");
}

TEST_CASE("unicode_form: a long run of marks takes time that grows with its length") {
  std::string text = "a";
  for (int i = 0; i < 60'000; ++i) text += i % 2 == 0 ? "\xcc\x81" : "\xcc\xa3";
  const auto changed = to_form(UnicodeForm::nfd, text);
  REQUIRE(changed.has_value());
  CHECK(changed->text().size() == text.size());
}

}  // namespace unicode_form_test
