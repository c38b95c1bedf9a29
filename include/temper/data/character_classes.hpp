// SPDX-License-Identifier: MIT
// The kinds of characters that word patterns tell apart, by table. The table is asked of PCRE2 once, so that
// hand-written scanners and expressions agree on every character whatever edition of Unicode PCRE2 has.
#pragma once
#include "temper/data/text_pattern.hpp"
#include "temper/data/unicode.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

// Bits, so that sets of them are tested at once. Every character has exactly one.
enum CharacterClass : std::uint8_t {
  other_character = 1,
  upper_letter = 2,     // Lu, Lt
  lower_letter = 4,     // Ll
  caseless_letter = 8,  // Lm, Lo
  mark_character = 16,
  number_character = 32,
  space_character = 64,    // white space but the two below
  newline_character = 128  // carriage return, line feed
};

class CharacterClasses {
  static constexpr std::size_t page_size = 256;
  std::array<std::uint8_t, 128> ascii_{};
  std::array<std::uint16_t, 0x110000 / page_size> page_of_{};
  std::vector<std::array<std::uint8_t, page_size>> pages_;

 public:
  // Made at the first call, which takes about as long as reading a small tokenizer.
  static const CharacterClasses& table() {
    static const CharacterClasses made;
    return made;
  }

  std::uint8_t of(char32_t c) const { return c < 0x80 ? ascii_[c] : pages_[page_of_[c / page_size]][c % page_size]; }

  // Of the character at 'at' of a valid text; 'next' becomes the place after it.
  std::uint8_t at(std::string_view text, std::size_t at, std::size_t& next) const {
    const auto first = static_cast<unsigned char>(text[at]);
    if (first < 0x80) {
      next = at + 1;
      return ascii_[first];
    }
    const CodePoint c = code_point_at(text, at);
    next = at + c.length;
    return pages_[page_of_[c.value / page_size]][c.value % page_size];
  }

 private:
  CharacterClasses() {
    std::vector<std::uint8_t> classes(0x110000, other_character);
    // Planes 4 to 13 and the private ones have nothing but 'other' in any edition so far; the test asks for all.
    ask(0, 0xd800, classes);
    ask(0xe000, 0x40000, classes);
    ask(0xe0000, 0xe1000, classes);
    classes[U'\r'] = classes[U'\n'] = newline_character;
    for (std::size_t page = 0; page < page_of_.size(); ++page) {
      std::array<std::uint8_t, page_size> bytes;
      std::memcpy(bytes.data(), classes.data() + page * page_size, page_size);
      std::size_t same = page == 0 ? 0 : page_of_[page - 1];  // most equal the one before
      if (page == 0 || pages_[same] != bytes) {
        same = pages_.size();
        pages_.push_back(bytes);
      }
      page_of_[page] = static_cast<std::uint16_t>(same);
    }
    std::memcpy(ascii_.data(), classes.data(), ascii_.size());
  }

  static void ask(char32_t low, char32_t high, std::vector<std::uint8_t>& classes) {
    static constexpr std::pair<const char*, CharacterClass> sets[] = {
        {R"([\p{Lu}\p{Lt}]+)", upper_letter},    {R"(\p{Ll}+)", lower_letter},
        {R"([\p{Lm}\p{Lo}]+)", caseless_letter}, {R"(\p{M}+)", mark_character},
        {R"(\p{N}+)", number_character},         {R"(\p{White_Space}+)", space_character}};
    std::string text;
    for (char32_t c = low; c < high; ++c) append_code_point(text, c);
    PatternScratch scratch;
    for (const auto& set : sets) {
      const CharacterClass kind = set.second;
      std::size_t at = 0;
      char32_t c = low;
      TextPattern::pcre(set.first).for_each(text, scratch, [&](Index begin, Index end) {
        for (; at < static_cast<std::size_t>(end); ++c) {
          if (at >= static_cast<std::size_t>(begin)) classes[c] = kind;
          at += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        }
      });
    }
  }
};

}  // namespace temper
