// SPDX-License-Identifier: MIT
// Numbers and strings as templates write them: Python's, with its underscores, bases and escapes.
#pragma once
#include "temper/data/template/text.hpp"
#include "temper/data/template/token.hpp"

#include <charconv>
#include <string>
#include <string_view>

namespace temper::templates {

// Reads one literal from a place in the source.
class LiteralReader {
 public:
  LiteralReader(std::string_view source, std::size_t begin, Position where)
      : source_(source), at_(begin), where_(where) {}

  std::size_t end() const { return at_; }

  Token number() {
    if (const int base = base_of_prefix(); base != 0) return prefixed_integer(base);
    const bool after_point = at_ > 0 && source_[at_ - 1] == '.';  // 'x.0.1' has no fraction
    std::string digits;
    bool real = false;
    take_digits(digits);
    if (!after_point && peek() == '.' && is_digit(peek(1))) {
      real = true, digits.push_back('.'), ++at_;
      take_digits(digits);
    }
    const bool signed_exponent = (peek(1) == '+' || peek(1) == '-') && is_digit(peek(2));
    if (!after_point && (peek() == 'e' || peek() == 'E') && (is_digit(peek(1)) || signed_exponent)) {
      real = true, digits.push_back('e'), ++at_;
      if (signed_exponent) {
        if (peek() == '-') digits.push_back('-');
        ++at_;
      }
      take_digits(digits);
    }
    if (!real && digits.size() > 1 && digits[0] == '0' && digits.find_first_not_of('0') != std::string::npos)
      fail_at(where_, "chat_template.syntax", "the number {} begins with a zero", digits);
    Token token{real ? Token::Kind::real : Token::Kind::integer, where_, digits, 0, 0};
    const auto [end, error] = real ? std::from_chars(digits.data(), digits.data() + digits.size(), token.real)
                                   : std::from_chars(digits.data(), digits.data() + digits.size(), token.integer);
    if (error != std::errc() || end != digits.data() + digits.size())
      fail_at(where_, "chat_template.syntax", "the number {} is out of range", digits);
    return token;
  }

  Token string() {
    const char quote = peek();
    std::string text;
    ++at_;
    while (at_ < source_.size() && peek() != quote) {
      if (peek() == '\\')
        escape(text);
      else
        text.push_back(source_[at_++]);
    }
    if (at_ >= source_.size()) fail_at(where_, "chat_template.syntax", "a string is not closed");
    ++at_;
    return {Token::Kind::string, where_, std::move(text), 0, 0};
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }

  void take_digits(std::string& digits) {
    while (is_digit(peek()) || (peek() == '_' && is_digit(peek(1)))) {
      if (peek() != '_') digits.push_back(peek());
      ++at_;
    }
  }

  // 0x1f, 0o17, 0b11
  int base_of_prefix() const {
    const char letter = peek() == '0' ? static_cast<char>(peek(1) | 0x20) : '\0';
    return letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
  }

  Token prefixed_integer(int base) {
    Token token{Token::Kind::integer, where_, "", 0, 0};
    std::string digits;
    std::size_t at = at_ + 2;
    const auto value_of = [](char c) {
      return is_digit(c) ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : 99;
    };
    while (at < source_.size()) {
      if (source_[at] == '_' && at + 1 < source_.size() && value_of(source_[at + 1]) < base) ++at;
      if (value_of(source_[at]) >= base) break;
      digits.push_back(source_[at++]);
    }
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), token.integer, base);
    if (error != std::errc())
      fail_at(where_, "chat_template.syntax", "a number in base {} has no digits or too many", base);
    at_ = at;
    return token;
  }

  // Python's escapes; an unknown one keeps its backslash.
  void escape(std::string& text) {
    const char c = peek(1);
    static constexpr std::string_view names = "abfnrtv\\'\"", values = "\a\b\f\n\r\t\v\\'\"";
    if (const std::size_t found = names.find(c); found != std::string_view::npos && c != '\0') {
      text.push_back(values[found]);
      at_ += 2;
    } else if (c == '\n') {
      at_ += 2;
    } else if (c >= '0' && c <= '7') {
      std::uint32_t value = 0;
      std::size_t length = 1;
      for (; length <= 3 && peek(length) >= '0' && peek(length) <= '7'; ++length)
        value = value * 8 + static_cast<std::uint32_t>(peek(length) - '0');
      append_code_point(text, value);
      at_ += length;
    } else if (c == 'x' || c == 'u' || c == 'U') {
      const std::size_t length = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      std::uint32_t value = 0;
      const char* begin = source_.data() + std::min(at_ + 2, source_.size());
      const char* end = source_.data() + std::min(at_ + 2 + length, source_.size());
      const auto [stop, error] = std::from_chars(begin, end, value, 16);
      if (error != std::errc() || stop != begin + length || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        fail_at(where_, "chat_template.syntax", "a string has a \\{} escape that is no Unicode character", c);
      append_code_point(text, value);
      at_ += 2 + length;
    } else if (c == 'N') {
      fail_at(where_, "chat_template.syntax", "a string has a \\N escape; write the character");
    } else {
      text.push_back('\\');
      ++at_;
    }
  }

  std::string_view source_;
  std::size_t at_;
  Position where_;
};

}  // namespace temper::templates
