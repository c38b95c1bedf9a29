// SPDX-License-Identifier: MIT
// The four Unicode normalization forms with the place each character came from, so that token spans refer to the
// original text. Decomposition, ordering classes and pairs come from utf8proc; the loop is here because utf8proc's own
// ordering takes quadratic time on a long run of marks and does not keep places.
#pragma once
#include "temper/data/normalized_text.hpp"
#include "temper/data/unicode.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

namespace temper {

enum class UnicodeForm { nfc, nfd, nfkc, nfkd };

constexpr bool composes(UnicodeForm form) { return form == UnicodeForm::nfc || form == UnicodeForm::nfkc; }
constexpr bool compatible(UnicodeForm form) { return form == UnicodeForm::nfkc || form == UnicodeForm::nfkd; }

// Characters that utf8proc decomposes or orders and Hugging Face tokenizers does not: its tables are of Unicode 9. They
// are left alone, so that ids stay equal. Found by asking both for every code point.
inline bool younger_than_reference(char32_t c) {
  static constexpr char32_t ranges[][2] = {
      {0x7fd, 0x7fd},     {0x898, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},     {0xc3c, 0xc3c},
      {0xd3b, 0xd3c},     {0xeba, 0xeba},     {0x1715, 0x1715},   {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},
      {0x32ff, 0x32ff},   {0xa7f2, 0xa7f4},   {0xa82c, 0xa82c},   {0xab69, 0xab69},   {0x10781, 0x10785},
      {0x10787, 0x107b0}, {0x107b2, 0x107ba}, {0x10d24, 0x10d27}, {0x10eab, 0x10eac}, {0x10efd, 0x10eff},
      {0x10f46, 0x10f50}, {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x1145e, 0x1145e},
      {0x11839, 0x1183a}, {0x11938, 0x11938}, {0x1193d, 0x1193e}, {0x11943, 0x11943}, {0x119e0, 0x119e0},
      {0x11a34, 0x11a34}, {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d42}, {0x11d44, 0x11d45},
      {0x11d97, 0x11d97}, {0x11f41, 0x11f42}, {0x16ff0, 0x16ff1}, {0x1e030, 0x1e06d}, {0x1e08f, 0x1e08f},
      {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef}, {0x1f16c, 0x1f16c},
      {0x1fbf0, 0x1fbf9}};
  if (c < ranges[0][0] || (c > 0x32ff && c < 0xa7f2)) return false;
  const auto range = std::lower_bound(std::begin(ranges), std::end(ranges), c,
                                      [](const char32_t(&r)[2], char32_t value) { return r[1] < value; });
  return range != std::end(ranges) && c >= (*range)[0];
}

// Brings one stretch of text, 'piece', that starts at 'begin' of the original, into a form.
class FormWriter {
  struct Unit {
    char32_t code;
    int combining;    // canonical combining class; 0 starts a character
    TextSpan source;  // in the original
  };
  UnicodeForm form_;
  std::vector<Unit> units_;

 public:
  explicit FormWriter(UnicodeForm form) : form_(form) {}

  void write(std::string_view piece, Index begin, NormalizedText& into) {
    decompose(piece, begin);
    order();
    if (composes(form_)) join();
    for (const Unit& unit : units_) {
      const auto from = static_cast<std::size_t>(unit.source.begin - begin);
      const auto size = static_cast<std::size_t>(unit.source.end - unit.source.begin);
      const CodePoint was = code_point_at(piece, from);
      if (was.value == unit.code && was.length == size)
        into.append_same(piece.substr(from, size), unit.source.begin);
      else
        into.append_changed(unit.code, unit.source);
    }
  }

 private:
  void decompose(std::string_view piece, Index begin) {
    const int compat = compatible(form_) ? UTF8PROC_COMPAT : 0;
    const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | compat);
    units_.clear();
    for (std::size_t at = 0; at < piece.size();) {
      const CodePoint c = code_point_at(piece, at);
      const Index from = begin + static_cast<Index>(at);
      const TextSpan source{from, from + static_cast<Index>(c.length)};
      at += c.length;
      utf8proc_int32_t parts[32];
      int boundary = 0;
      if (younger_than_reference(c.value)) {
        units_.push_back({c.value, 0, source});
        continue;
      }
      const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c.value), parts, 32, options, &boundary);
      if (count <= 0 || count > 32) {
        units_.push_back({c.value, 0, source});
        continue;
      }
      for (utf8proc_ssize_t i = 0; i < count; ++i)
        units_.push_back({static_cast<char32_t>(parts[i]), utf8proc_get_property(parts[i])->combining_class, source});
    }
  }

  void order() {
    const auto combines = [](const Unit& unit) { return unit.combining != 0; };
    for (auto at = units_.begin(); at != units_.end();) {
      const auto first = std::find_if(at, units_.end(), combines);
      const auto last = std::find_if_not(first, units_.end(), combines);
      if (last - first > 1)
        std::stable_sort(first, last, [](const Unit& a, const Unit& b) { return a.combining < b.combining; });
      at = last;
    }
  }

  static char32_t pair(char32_t first, char32_t second) {  // 0: they do not compose
    if (second == 0x11a7) return 0;                        // no final consonant, though utf8proc swallows it as one
    utf8proc_int32_t both[2] = {static_cast<utf8proc_int32_t>(first), static_cast<utf8proc_int32_t>(second)};
    const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    const bool one = utf8proc_normalize_utf32(both, 2, options) == 1;
    return one && !younger_than_reference(static_cast<char32_t>(both[0])) ? static_cast<char32_t>(both[0])
                                                                          : char32_t{0};
  }

  // A mark joins the last starter unless a mark of its own class or a higher one stands between them.
  void join() {
    std::size_t kept = 0, starter = units_.size();
    int last_class = 0;
    for (std::size_t i = 0; i < units_.size(); ++i) {
      const Unit unit = units_[i];
      const bool has_starter = starter < kept;
      if (has_starter && unit.code >= 0x300 && (starter + 1 == kept || last_class < unit.combining)) {
        if (const char32_t joined = pair(units_[starter].code, unit.code)) {
          TextSpan& source = units_[starter].source;
          source = {std::min(source.begin, unit.source.begin), std::max(source.end, unit.source.end)};
          units_[starter].code = joined;
          continue;
        }
      }
      if (unit.combining == 0) starter = kept;
      last_class = unit.combining;
      units_[kept++] = unit;
    }
    units_.resize(kept);
  }
};

// Nothing if the text is as it should be already. ASCII, and for NFC all below U+0300, changes only if a later
// character follows, so only stretches around later ones are looked at.
inline std::optional<NormalizedText> to_form(UnicodeForm form, std::string_view text) {
  const unsigned char threshold = form == UnicodeForm::nfc ? 0xcc : 0x80;  // 0xcc leads U+0300 and above
  const auto late = [&](char byte) { return static_cast<unsigned char>(byte) >= threshold; };
  if (std::none_of(text.begin(), text.end(), late)) return std::nullopt;
  NormalizedText out;
  FormWriter writer(form);
  for (std::size_t at = 0; at < text.size();) {
    std::size_t first =
        static_cast<std::size_t>(std::find_if(text.begin() + static_cast<Index>(at), text.end(), late) - text.begin());
    if (first < text.size() && first > at) first = previous_character(text, first);
    out.append_same(text.substr(at, first - at), static_cast<Index>(at));
    if (first == text.size()) break;
    std::size_t end = first + code_point_at(text, first).length;
    while (end < text.size() && late(text[end])) end += code_point_at(text, end).length;
    writer.write(text.substr(first, end - first), static_cast<Index>(first), out);
    at = end;
  }
  if (out.text() == text) return std::nullopt;
  return out;
}

}  // namespace temper
