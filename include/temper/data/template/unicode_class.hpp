// SPDX-License-Identifier: MIT
// The classes of characters that Python's str.isdigit() and its like ask for. utf8proc knows the general category; what
// Unicode's derived properties add to it stands in short tables.
#pragma once
#include <utf8proc.h>

#include <cstdint>
#include <utility>

namespace temper::templates {

struct CharacterRange {
  std::uint32_t first, last;
};

template <std::size_t Count>
constexpr bool in_ranges(const CharacterRange (&ranges)[Count], std::uint32_t c) {
  for (const CharacterRange& range : ranges)
    if (c >= range.first && c <= range.last) return true;
  return false;
}

inline utf8proc_category_t category(std::uint32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }
inline bool is_category_between(std::uint32_t c, utf8proc_category_t first, utf8proc_category_t last) {
  const utf8proc_category_t found = category(c);
  return found >= first && found <= last;
}

inline bool is_letter(std::uint32_t c) { return is_category_between(c, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO); }
inline bool is_decimal(std::uint32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }

// Decimals and what Unicode gives a value as a digit, superscripts for instance.
inline bool is_digit(std::uint32_t c) {
  static constexpr CharacterRange digits[] = {
      {0xb2, 0xb3},     {0xb9, 0xb9},       {0x1369, 0x1371},   {0x19da, 0x19da},   {0x2070, 0x2070},
      {0x2074, 0x2079}, {0x2080, 0x2089},   {0x2460, 0x2468},   {0x2474, 0x247c},   {0x2488, 0x2490},
      {0x24ea, 0x24ea}, {0x24f5, 0x24fd},   {0x24ff, 0x24ff},   {0x2776, 0x277e},   {0x2780, 0x2788},
      {0x278a, 0x2792}, {0x10a40, 0x10a43}, {0x10e60, 0x10e68}, {0x11052, 0x1105a}, {0x1f100, 0x1f10a}};
  return is_decimal(c) || in_ranges(digits, c);
}

// Every number of Unicode, and the ideographs that stand for one.
inline bool is_numeric(std::uint32_t c) {
  static constexpr std::uint32_t ideographs[] = {
      0x3405,  0x3483,  0x382a,  0x3b4d,  0x4e00,  0x4e03,  0x4e07,  0x4e09,  0x4e5d,  0x4e8c,  0x4e94,  0x4e96,
      0x4ebf,  0x4ec0,  0x4edf,  0x4ee8,  0x4f0d,  0x4f70,  0x5104,  0x5146,  0x5169,  0x516b,  0x516d,  0x5341,
      0x5343,  0x5344,  0x5345,  0x534c,  0x53c1,  0x53c2,  0x53c3,  0x53c4,  0x56db,  0x58f1,  0x58f9,  0x5e7a,
      0x5efe,  0x5eff,  0x5f0c,  0x5f0d,  0x5f0e,  0x5f10,  0x62fe,  0x634c,  0x67d2,  0x6f06,  0x7396,  0x767e,
      0x8086,  0x842c,  0x8cae,  0x8cb3,  0x8d30,  0x9621,  0x9646,  0x964c,  0x9678,  0x96f6,  0xf96b,  0xf973,
      0xf978,  0xf9b2,  0xf9d1,  0xf9d3,  0xf9fd,  0x20001, 0x20064, 0x200e2, 0x20121, 0x2092a, 0x20983, 0x2098c,
      0x2099c, 0x20aea, 0x20afd, 0x20b19, 0x22390, 0x22998, 0x23b1b, 0x2626d, 0x2f890};
  if (is_category_between(c, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO)) return true;
  for (const std::uint32_t ideograph : ideographs)
    if (c == ideograph) return true;
  return false;
}

inline bool is_upper(std::uint32_t c) {
  static constexpr CharacterRange others[] = {
      {0x2160, 0x216f}, {0x24b6, 0x24cf}, {0x1f130, 0x1f149}, {0x1f150, 0x1f169}, {0x1f170, 0x1f189}};
  return category(c) == UTF8PROC_CATEGORY_LU || in_ranges(others, c);
}

inline bool is_lower(std::uint32_t c) {
  static constexpr CharacterRange others[] = {
      {0xaa, 0xaa},       {0xba, 0xba},       {0x2b0, 0x2b8},     {0x2c0, 0x2c1},    {0x2e0, 0x2e4},
      {0x345, 0x345},     {0x37a, 0x37a},     {0x1d2c, 0x1d6a},   {0x1d78, 0x1d78},  {0x1d9b, 0x1dbf},
      {0x2071, 0x2071},   {0x207f, 0x207f},   {0x2090, 0x209c},   {0x2170, 0x217f},  {0x24d0, 0x24e9},
      {0x2c7c, 0x2c7d},   {0xa69c, 0xa69d},   {0xa770, 0xa770},   {0xa7f8, 0xa7f9},  {0xab5c, 0xab5f},
      {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107b0}, {0x107b2, 0x107ba}};
  return category(c) == UTF8PROC_CATEGORY_LL || in_ranges(others, c);
}

inline bool is_title(std::uint32_t c) { return category(c) == UTF8PROC_CATEGORY_LT; }
inline bool is_cased(std::uint32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }

// What repr() shows as it is: all but controls, surrogates, unassigned code points and separators other than a space.
inline bool is_printable(std::uint32_t c) {
  if (c == ' ') return true;
  return category(c) != UTF8PROC_CATEGORY_CN && !is_category_between(c, UTF8PROC_CATEGORY_ZS, UTF8PROC_CATEGORY_CO);
}

// What the last letter of a word may be followed by for the Greek final sigma: marks, formats, modifiers, apostrophes.
inline bool is_case_ignorable(std::uint32_t c) {
  static constexpr CharacterRange others[] = {{'\'', '\''},     {'.', '.'},       {':', ':'},       {0xb7, 0xb7},
                                              {0x387, 0x387},   {0x55f, 0x55f},   {0x5f4, 0x5f4},   {0x2018, 0x2019},
                                              {0x2024, 0x2024}, {0x2027, 0x2027}, {0xfe13, 0xfe13}, {0xfe52, 0xfe52},
                                              {0xfe55, 0xfe55}, {0xff07, 0xff07}, {0xff0e, 0xff0e}, {0xff1a, 0xff1a}};
  const utf8proc_category_t found = category(c);
  return found == UTF8PROC_CATEGORY_MN || found == UTF8PROC_CATEGORY_ME || found == UTF8PROC_CATEGORY_CF ||
         found == UTF8PROC_CATEGORY_LM || found == UTF8PROC_CATEGORY_SK || in_ranges(others, c);
}

}  // namespace temper::templates
