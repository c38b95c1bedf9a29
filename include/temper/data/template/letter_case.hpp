// SPDX-License-Identifier: MIT
// Python's upper(), lower(), capitalize(), title(), swapcase() and casefold(), by the tables of utf8proc and the short
// one of special cases; who wrote a character stays.
#pragma once
#include "temper/data/template/special_case.hpp"
#include "temper/data/template/text.hpp"
#include "temper/data/template/unicode_class.hpp"

namespace temper::templates {

enum class LetterCase : std::uint8_t { upper, lower, capitalize, title, swap, fold };

// A capital sigma at the end of a word becomes a final one.
inline bool is_final_sigma(std::string_view text, std::size_t at) {
  std::size_t before = at;
  bool follows_letter = false;
  while (before > 0) {
    --before;
    while (before > 0 && is_continuation(text[before])) --before;
    const std::uint32_t c = code_point_at(text, before).value;
    if (is_case_ignorable(c)) continue;
    follows_letter = is_cased(c);
    break;
  }
  if (!follows_letter) return false;
  for (std::size_t next = at + 2; next < text.size();) {
    const CodePoint c = code_point_at(text, next);
    if (!is_case_ignorable(c.value)) return !is_cased(c.value);
    next += c.bytes;
  }
  return true;
}

inline void append_lower(std::string& out, std::string_view text, std::size_t at, std::uint32_t c) {
  if (c == 0x130) return void(out += "i\xcc\x87");
  if (c == 0x3a3 && is_final_sigma(text, at)) return append_code_point(out, 0x3c2);
  append_code_point(out, static_cast<std::uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

inline void append_raised(std::string& out, std::uint32_t c, LetterCase wanted) {
  const bool upper = wanted == LetterCase::upper;
  if (const SpecialCase* special = find_special_case(c)) {
    for (const std::uint32_t part : upper ? special->upper : special->title)
      if (part != 0) append_code_point(out, part);
    return;
  }
  const auto value = static_cast<utf8proc_int32_t>(c);
  append_code_point(out, static_cast<std::uint32_t>(upper ? utf8proc_toupper(value) : utf8proc_totitle(value)));
}

inline void append_folded(std::string& out, std::uint32_t c) {
  utf8proc_int32_t folded[8];
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), folded, 8, UTF8PROC_CASEFOLD, nullptr);
  for (utf8proc_ssize_t i = 0; i < std::min<utf8proc_ssize_t>(count, 8); ++i)
    append_code_point(out, static_cast<std::uint32_t>(folded[i]));
}

inline Text in_case(const Text& text, LetterCase wanted) {
  Text result;
  bool first = true;  // of the text, or of a word
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text.bytes(), at);
    const bool titled = first && (wanted == LetterCase::capitalize || wanted == LetterCase::title);
    std::string changed;
    if (wanted == LetterCase::upper || (wanted == LetterCase::swap && is_lower(c.value)))
      append_raised(changed, c.value, LetterCase::upper);
    else if (titled)
      append_raised(changed, c.value, LetterCase::title);
    else if (wanted == LetterCase::fold)
      append_folded(changed, c.value);
    else if (wanted == LetterCase::swap && !is_upper(c.value))
      append_code_point(changed, c.value);
    else
      append_lower(changed, text.bytes(), at, c.value);
    result.append(changed, text.writer_at(at));
    first = wanted == LetterCase::title && !is_cased(c.value);
    at += c.bytes;
  }
  return result;
}

}  // namespace temper::templates
