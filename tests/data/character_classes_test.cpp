// SPDX-License-Identifier: MIT
#include "temper/data/character_classes.hpp"
#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace character_classes_test {

using namespace temper;

TEST_CASE("character_classes: every code point has the class that PCRE2 gives it") {
  const std::pair<const char*, std::uint8_t> sets[] = {{R"(\p{L})", upper_letter | lower_letter | caseless_letter},
                                                       {R"([\p{Lu}\p{Lt}])", upper_letter},
                                                       {R"(\p{Ll})", lower_letter},
                                                       {R"(\p{M})", mark_character},
                                                       {R"(\p{N})", number_character},
                                                       {R"(\p{White_Space})", space_character | newline_character},
                                                       {R"([\r\n])", newline_character}};
  const CharacterClasses& classes = CharacterClasses::table();
  PatternScratch scratch;
  for (const char32_t low : {U'\0', char32_t{0xe000}}) {  // the surrogates are no characters
    std::string text;
    const char32_t high = low == 0 ? 0xd800 : 0x110000;
    for (char32_t c = low; c < high; ++c) append_code_point(text, c);
    for (const auto& row : sets) {
      const char* const pattern = row.first;
      const std::uint8_t set = row.second;
      std::size_t covered = 0, wrong = 0;
      const auto check = [&](std::size_t end, bool inside) {
        while (covered < end) wrong += ((classes.at(text, covered, covered) & set) != 0) != inside;
      };
      TextPattern::pcre(pattern + std::string("+")).for_each(text, scratch, [&](Index begin, Index end) {
        check(static_cast<std::size_t>(begin), false);
        check(static_cast<std::size_t>(end), true);
      });
      check(text.size(), false);
      CAPTURE(pattern);
      CHECK(wrong == 0);
    }
  }
  CHECK(classes.of(U'a') == lower_letter);
  CHECK(classes.of(0x1f600) == other_character);
}

}  // namespace character_classes_test
