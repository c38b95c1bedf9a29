// SPDX-License-Identifier: MIT
#include "temper/data/unicode_form.hpp"
#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

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
      append_code_point(text, low + static_cast<char32_t>(random() % (high - low)));
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
