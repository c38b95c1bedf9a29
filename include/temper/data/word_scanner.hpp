// SPDX-License-Identifier: MIT
// The word patterns of the large families, written out by hand: each finds the very matches that its expression has in
// PCRE2, several times faster. Their matches cover all of a text.
#pragma once
#include "temper/data/character_classes.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

class WordScanner {
  enum class Letters { spaced, prefixed, cased };
  struct Rules {
    Letters letters;
    std::size_t digits;            // of a number's word; 0: any, after a space or not
    bool contractions;             // before letters ('cased': after them)
    std::string_view after_other;  // what may follow a word that is neither letters nor digits
  };
  static constexpr std::uint8_t letter = upper_letter | lower_letter | caseless_letter;
  static constexpr std::uint8_t other = other_character | mark_character;
  static constexpr std::uint8_t white = space_character | newline_character;
  static constexpr std::uint8_t upper_part = upper_letter | caseless_letter | mark_character;
  static constexpr std::uint8_t lower_part = lower_letter | caseless_letter | mark_character;
  static constexpr std::size_t none = std::string_view::npos;

  Rules rules_;
  const CharacterClasses* classes_ = &CharacterClasses::table();

  explicit WordScanner(const Rules& rules) : rules_(rules) {}

 public:
  // The scanner of an expression in Oniguruma's dialect, if it is a known one.
  static std::optional<WordScanner> of(std::string_view pattern) {
    for (const auto& [known, rules] : known_patterns())
      if (known == pattern) return WordScanner(rules);
    return std::nullopt;
  }

  static std::vector<std::string> patterns() {
    std::vector<std::string> all;
    for (const auto& [known, rules] : known_patterns()) all.push_back(known);
    return all;
  }

  // Calls found(begin, end) for each word of 'text', which must be valid UTF-8.
  template <class Found>
  void for_each(std::string_view text, const Found& found) const {
    switch (rules_.letters) {
      case Letters::spaced:
        return scan(text, found, [&](std::size_t at) { return spaced(text, at); });
      case Letters::prefixed:
        return scan(text, found, [&](std::size_t at) { return prefixed(text, at); });
      case Letters::cased:
        return scan(text, found, [&](std::size_t at) { return cased(text, at); });
    }
  }

 private:
  static std::vector<std::pair<std::string, Rules>> known_patterns() {
    const std::string contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)", white_space = R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
    const std::string upper = R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])", lower = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])";
    const std::string prefix = R"([^\r\n\p{L}\p{N}]?)";
    const auto llama = [&](const std::string& digits) {
      return contraction + "|" + prefix + R"(\p{L}+|)" + digits + R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)" + white_space;
    };
    const auto by_case = [&](const std::string& ending, const std::string& digits) {
      return prefix + upper + "*" + lower + "+" + ending + "|" + prefix + upper + "+" + lower + "*" + ending + "|" +
             digits + R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*)" + white_space;
    };
    return {
        {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
         {Letters::spaced, 0, true, ""}},
        {llama(R"(\p{N}{1,3})"), {Letters::prefixed, 3, true, "\r\n"}},
        {llama(R"(\p{N})"), {Letters::prefixed, 1, true, "\r\n"}},
        {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|)"
         R"(\s+(?!\S)|\s+)",
         {Letters::prefixed, 3, true, "\r\n"}},
        {by_case(contraction + "?", R"(\p{N}{1,3})"), {Letters::cased, 3, true, "\r\n/"}},
        {by_case("", R"(\p{N})"), {Letters::cased, 1, false, "\r\n/"}},
    };
  }

  template <class Found, class Next>
  static void scan(std::string_view text, const Found& found, const Next& next) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = next(at);
      found(static_cast<Index>(at), static_cast<Index>(end));
      at = end;
    }
  }

  std::size_t skip(std::string_view text, std::size_t at, std::uint8_t set) const {
    std::size_t next = at;
    while (at < text.size() && (classes_->at(text, at, next) & set) != 0) at = next;
    return at;
  }

  // The class of the character at 'at', 0 at the end.
  std::uint8_t look(std::string_view text, std::size_t at) const {
    std::size_t next = at;
    return at < text.size() ? classes_->at(text, at, next) : std::uint8_t{0};
  }

  std::size_t digits(std::string_view text, std::size_t at) const {
    std::size_t next = at;
    for (std::size_t i = 0; i < rules_.digits && at < text.size(); ++i, at = next)
      if (classes_->at(text, at, next) != number_character) break;
    return at;
  }

  // The end of 's 't 'm 'd 're 've 'll at 'at', or 'at' if there is none.
  static std::size_t contraction(std::string_view text, std::size_t at, bool any_case) {
    if (at + 1 >= text.size() || text[at] != '\'') return at;
    const auto small = [&](std::size_t i) {
      const char c = i < text.size() ? text[i] : '\0';
      return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    };
    const char first = small(at + 1), second = small(at + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
    if (((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l')) return at + 3;
    return any_case && text.substr(at + 1).starts_with("\xc5\xbf") ? at + 3 : at;  // the long s is an s, too
  }

  // \s+(?!\S)|\s+ at 'at', where there is white space up to 'end'.
  static std::size_t spaces(std::string_view text, std::size_t at, std::size_t end) {
    if (end == text.size()) return end;
    const std::size_t last = previous_character(text, end);
    return last == at ? end : last;
  }

  // The same after \s*[\r\n]+.
  std::size_t lines(std::string_view text, std::size_t at) const {
    const std::size_t end = skip(text, at, white);
    const std::size_t newline = text.substr(at, end - at).find_last_of("\r\n");
    return newline == none ? spaces(text, at, end) : at + newline + 1;
  }

  std::size_t others(std::string_view text, std::size_t at) const {
    at = skip(text, at, other);
    while (at < text.size() && rules_.after_other.find(text[at]) != none) ++at;
    return at;
  }

  std::size_t spaced(std::string_view text, std::size_t at) const {
    const std::size_t contracted = contraction(text, at, false);
    if (contracted != at) return contracted;
    const std::size_t start = at + (text[at] == ' ' ? 1 : 0);
    const std::uint8_t kind = look(text, start);
    for (const std::uint8_t set : {letter, static_cast<std::uint8_t>(number_character), other})
      if ((kind & set) != 0) return skip(text, start, set);
    return spaces(text, at, skip(text, at, white));
  }

  std::size_t prefixed(std::string_view text, std::size_t at) const {
    std::size_t next = at;
    const std::uint8_t kind = classes_->at(text, at, next);
    if ((kind & letter) != 0) return skip(text, next, letter);
    if (kind == number_character) return digits(text, at);
    const std::size_t contracted = contraction(text, at, true);
    if (contracted != at) return contracted;
    const std::uint8_t following = look(text, next);
    if (kind != newline_character && (following & letter) != 0) return skip(text, next, letter);
    if ((kind & other) != 0) return others(text, next);
    if (text[at] == ' ' && (following & other) != 0) return others(text, next);
    return lines(text, at);
  }

  // Upper letters, then at least one lower one: letters without case and marks count as both. The end, or 'none'.
  std::size_t ends_lower(std::string_view text, std::size_t at) const {
    std::size_t both_end = none, next = at;
    std::uint8_t kind = 0;
    for (; at < text.size(); at = next) {
      kind = classes_->at(text, at, next);
      if ((kind & upper_part) == 0) break;
      if (kind != upper_letter) both_end = next;
    }
    if (at < text.size() && kind == lower_letter) return skip(text, at, lower_part);
    return both_end;  // what upper letters gave back
  }

  // Where that fails, upper letters alone.
  std::size_t by_case(std::string_view text, std::size_t at) const {
    const std::size_t lower = ends_lower(text, at);
    if (lower != none) return lower;
    const std::size_t upper = skip(text, at, upper_part);
    return upper == at ? none : skip(text, upper, lower_part);
  }

  std::size_t cased(std::string_view text, std::size_t at) const {
    std::size_t next = at;
    const std::uint8_t kind = classes_->at(text, at, next);
    if (kind == number_character) return digits(text, at);
    std::size_t end = none;
    if ((kind & letter) != 0) {
      end = by_case(text, at);
    } else if (kind == mark_character) {  // a prefix first, else the beginning of a word of one
      end = ends_lower(text, next);
      if (end == none) end = ends_lower(text, at);
    } else if (kind != newline_character) {
      end = by_case(text, next);
    }
    if (end != none) return rules_.contractions ? contraction(text, end, true) : end;
    if (kind == other_character) return others(text, next);
    if (text[at] == ' ' && (look(text, next) & other) != 0) return others(text, next);
    return lines(text, at);
  }
};

}  // namespace temper
