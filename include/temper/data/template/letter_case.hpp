// SPDX-License-Identifier: MIT
// Upper, lower, capitalised and title case of a text, by the Unicode tables of utf8proc; who wrote a character stays.
#pragma once
#include <utf8proc.h>
#include "temper/data/template/text.hpp"

namespace temper::templates {

enum class LetterCase : std::uint8_t { upper, lower, capitalize, title };

inline bool is_letter(std::uint32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}
inline bool is_upper(std::uint32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_LU;
}
inline bool is_lower(std::uint32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_LL;
}
inline bool is_decimal(std::uint32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_ND;
}

inline Text in_case(const Text& text, LetterCase wanted) {
  Text result;
  bool first = true;  // of the text, or of a word
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text.bytes(), at);
    const auto value = static_cast<utf8proc_int32_t>(c.value);
    const bool raise = wanted == LetterCase::upper || (wanted != LetterCase::lower && first);
    std::string changed;
    if (raise && c.value == 0xdf)
      changed = wanted == LetterCase::upper ? "SS" : "Ss";
    else
      append_code_point(changed, static_cast<std::uint32_t>(!raise                        ? utf8proc_tolower(value)
                                                            : wanted == LetterCase::upper ? utf8proc_toupper(value)
                                                                                          : utf8proc_totitle(value)));
    result.append(changed, text.writer_at(at));
    first = wanted == LetterCase::title && !is_letter(c.value);
    at += c.bytes;
  }
  return result;
}

}  // namespace temper::templates
