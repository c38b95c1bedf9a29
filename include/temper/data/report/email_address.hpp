// SPDX-License-Identifier: MIT
// E-mail addresses around an at sign: a name of letters, digits and . _ % + -, and a domain of labels whose last has
// two letters or more. Looks a bounded way to both sides, so that a text of at signs takes linear time.
#pragma once
#include <algorithm>
#include <cstddef>
#include <string_view>

namespace temper {

class EmailAddress {
 public:
  struct Span {
    std::size_t begin = 0, end = 0;  // equal: there is none
  };

  static Span around(std::string_view text, std::size_t at_sign) {
    std::size_t begin = at_sign;
    const std::size_t first = at_sign - std::min(at_sign, longest_name);
    while (begin > first && is_name(text[begin - 1])) --begin;
    while (begin < at_sign && text[begin] == '.') ++begin;
    if (begin == at_sign || text[at_sign - 1] == '.') return {};
    const std::size_t last = std::min(text.size(), at_sign + 1 + longest_domain);
    std::size_t label = at_sign + 1, end = 0;
    bool dotted = false;
    for (std::size_t i = label; i <= last; ++i) {
      if (i < last && (is_letter(text[i]) || is_digit(text[i]) || text[i] == '-')) continue;
      if (i == label) break;  // an empty label ends the domain before it
      if (dotted && is_top(text.substr(label, i - label))) end = i;
      if (i == last || text[i] != '.') break;
      dotted = true;
      label = i + 1;
    }
    return end == 0 ? Span{} : Span{begin, end};
  }

 private:
  static constexpr std::size_t longest_name = 64, longest_domain = 253;
  static constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
  static constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static constexpr bool is_name(char c) {
    return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '%' || c == '+' || c == '-';
  }
  static bool is_top(std::string_view label) {
    return label.size() >= 2 && std::all_of(label.begin(), label.end(), is_letter);
  }
};

}  // namespace temper
