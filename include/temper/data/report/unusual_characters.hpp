// SPDX-License-Identifier: MIT
// Characters that nobody types and a model should not learn: control characters, U+FFFD (left by a wrong decoding),
// private use, marks that turn the direction of text, and what has no width. Joiners inside scripts and emoji that need
// them are not among these.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace temper {

enum class Unusual : std::uint8_t { none, control, replacement, private_use, direction, no_width };
inline constexpr std::size_t unusual_kinds = 6;

inline constexpr std::array<std::string_view, unusual_kinds> unusual_names = {"none",
                                                                              "control_characters",
                                                                              "replacement_characters",
                                                                              "private_use_characters",
                                                                              "direction_overrides",
                                                                              "invisible_characters"};

class UnusualCharacters {
 public:
  // Whether a character that begins with this byte may be unusual: a quick test, by a table of the caller.
  static constexpr bool may_begin(unsigned char byte) {
    if (byte < 0x20) return byte != '\t' && byte != '\n' && byte != '\r';
    return byte == 0x7f || byte == 0xc2 || byte == 0xe2 || byte == 0xee || byte == 0xef || byte >= 0xf3;
  }

  struct Found {
    Unusual kind = Unusual::none;
    char32_t character = 0;
    std::size_t bytes = 1;
  };

  // The character at 'at' of valid UTF-8.
  static Found at(std::string_view text, std::size_t at) {
    Found found;
    found.character = decoded(text, at, found.bytes);
    found.kind = kind_of(found.character, at > 0 && static_cast<unsigned char>(text[at - 1]) < 0x80, at);
    return found;
  }

 private:
  static char32_t decoded(std::string_view text, std::size_t at, std::size_t& bytes) {
    const auto byte = [&](std::size_t i) {
      return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
    };
    const unsigned first = byte(0);
    bytes = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (bytes == 1) return first;
    char32_t character = first & (0xffu >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i) character = character << 6 | (byte(i) & 0x3fu);
    return character;
  }

  static Unusual kind_of(char32_t c, bool after_ascii, std::size_t at) {
    if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0)) return Unusual::control;
    if (c < 0x200b) return Unusual::none;
    if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069)) return Unusual::direction;
    if (c == 0x200b || c == 0x2060 || c == 0xfeff) return Unusual::no_width;
    // Joiners belong between letters of scripts that need them, never behind ASCII or at the start.
    if (c == 0x200c || c == 0x200d) return after_ascii || at == 0 ? Unusual::no_width : Unusual::none;
    if (c >= 0xe0000 && c <= 0xe007f) return after_ascii || at == 0 ? Unusual::no_width : Unusual::none;
    if (c == 0xfffd) return Unusual::replacement;
    const bool is_private = (c >= 0xe000 && c <= 0xf8ff) || c >= 0xf0000;
    return is_private ? Unusual::private_use : Unusual::none;
  }
};

}  // namespace temper
