// SPDX-License-Identifier: MIT
// UTF-8 as the tokenizer needs it: where a text stops being valid, code points one by one, invalid bytes replaced as
// Unicode recommends (one U+FFFD for each maximal part of a character), and the general category from utf8proc.
#pragma once
#include "temper/core/error.hpp"
#include "temper/core/types.hpp"

#include <utf8proc.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace temper {

// What stands at the start of a text: a whole character, one that the end of the text cuts, or bytes that no
// continuation can make valid.
enum class Utf8 { whole, cut, wrong };

struct Utf8Step {
  std::size_t length;  // bytes; 0 only for an empty text, which counts as cut
  Utf8 kind;
};

constexpr Utf8Step utf8_step(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.empty()) return {0, Utf8::cut};
  const unsigned char first = byte(0);
  if (first < 0x80) return {1, Utf8::whole};
  if (first < 0xc2 || first > 0xf4) return {1, Utf8::wrong};
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  // The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF.
  const unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {i, Utf8::cut};
    const bool fits = i == 1 ? byte(1) >= low && byte(1) <= high : (byte(i) & 0xc0u) == 0x80u;
    if (!fits) return {i, Utf8::wrong};
  }
  return {length, Utf8::whole};
}

// The offset of the first byte that is not valid UTF-8; the text's size if there is none.
inline std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t eight = 0;
    while (at + 8 <= text.size()) {  // ASCII by eight
      std::memcpy(&eight, text.data() + at, 8);
      if ((eight & 0x8080808080808080u) != 0) break;
      at += 8;
    }
    if (at == text.size()) break;
    const Utf8Step step = utf8_step(text.substr(at, 4));
    if (step.kind != Utf8::whole) return at;
    at += step.length;
  }
  return at;
}

inline void require_utf8(std::string_view text) {
  const std::size_t valid = valid_utf8_prefix(text);
  if (valid == text.size()) return;
  fail(Fault::data, "text.not_utf8", "byte {} (0x{:02x}) of a text of {} bytes is not valid UTF-8; {}", valid,
       static_cast<unsigned>(static_cast<unsigned char>(text[valid])), text.size(),
       "expected UTF-8; convert the file or remove the bytes");
}

struct CodePoint {
  char32_t value;
  std::size_t length;  // bytes
};

// The character at 'at' of a text known to be valid.
constexpr CodePoint code_point_at(std::string_view text, std::size_t at) {
  const auto bits = [&](std::size_t i, unsigned mask) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[at + i]) & mask);
  };
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return {first, 1};
  if (first < 0xe0) return {bits(0, 0x1f) << 6 | bits(1, 0x3f), 2};
  if (first < 0xf0) return {bits(0, 0x0f) << 12 | bits(1, 0x3f) << 6 | bits(2, 0x3f), 3};
  return {bits(0, 0x07) << 18 | bits(1, 0x3f) << 12 | bits(2, 0x3f) << 6 | bits(3, 0x3f), 4};
}

constexpr void append_code_point(std::string& text, char32_t c) {
  const auto push = [&](char32_t byte) { text.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  if (c < 0x80) {
    push(c);
  } else if (c < 0x800) {
    push(0xc0 | c >> 6);
    push(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    push(0xe0 | c >> 12);
    push(0x80 | (c >> 6 & 0x3f));
    push(0x80 | (c & 0x3f));
  } else {
    push(0xf0 | c >> 18);
    push(0x80 | (c >> 12 & 0x3f));
    push(0x80 | (c >> 6 & 0x3f));
    push(0x80 | (c & 0x3f));
  }
}

// Start of the character that ends before 'at'; 'at' must be above 0 and at a character's start.
constexpr std::size_t previous_character(std::string_view text, std::size_t at) {
  do --at;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0u) == 0x80u);
  return at;
}

inline std::string replace_invalid_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Utf8Step step = utf8_step(bytes);
    text += step.kind == Utf8::whole ? bytes.substr(0, step.length) : std::string_view("\xef\xbf\xbd");
    bytes.remove_prefix(step.length);
  }
  return text;
}

// General category N: decimal digits, letter numbers, other numbers.
inline bool is_numeric(char32_t c) {
  if (c < 0x80) return c >= U'0' && c <= U'9';
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO;
}

// General category M.
inline bool is_mark(char32_t c) {
  if (c < 0x300) return false;
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME;
}

// General category P, and the ASCII characters that are neither letters, digits, controls nor a space.
inline bool is_punctuation(char32_t c) {
  if (c < 0x80) return c > 0x20 && c < 0x7f && !(c >= U'0' && c <= U'9') && !((c | 32) >= U'a' && (c | 32) <= U'z');
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

// The property White_Space: separators and six control characters.
inline bool is_white_space(char32_t c) {
  if (c < 0x80) return c == U' ' || (c >= 0x09 && c <= 0x0d);
  if (c == 0x85) return true;
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

}  // namespace temper
