// SPDX-License-Identifier: MIT
// Numbers to text and back as Python has them: repr(float), int(text, base) and float(text).
#pragma once
#include "temper/data/template/text.hpp"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace temper::templates {

// repr(float): the shortest digits that read back the same; an exponent from 1e16 on and below 1e-4.
inline std::string float_text(double x) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return x < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, x, std::chars_format::scientific).ptr;
  std::string text(buffer, end);
  const std::size_t e = text.find('e');
  int exponent = 0;
  const char* digits_of_exponent = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(digits_of_exponent, text.data() + text.size(), exponent);
  const std::string sign = text[0] == '-' ? "-" : "";
  std::string digits;
  for (const char c : std::string_view(text).substr(0, e))
    if (c >= '0' && c <= '9') digits.push_back(c);
  if (exponent < -4 || exponent >= 16) {
    const std::string size = std::to_string(std::abs(exponent));
    return sign + digits.substr(0, 1) + (digits.size() > 1 ? "." + digits.substr(1) : "") +
           (exponent < 0 ? "e-" : "e+") + (size.size() < 2 ? "0" : "") + size;
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

// Digits with single underscores between them, without the underscores; nothing for other text.
inline std::optional<std::string> without_underscores(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits.push_back(text[i]);
      continue;
    }
    const auto word = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    if (i == 0 || i + 1 == text.size() || !word(text[i - 1]) || !word(text[i + 1])) return std::nullopt;
  }
  return digits;
}

struct ParsedInteger {
  enum class State : std::uint8_t { number, no_number, too_big } state = State::no_number;
  std::int64_t value = 0;
};

// int(text, base); base 0 reads the prefix.
inline ParsedInteger parse_integer(std::string_view text, int base) {
  using State = ParsedInteger::State;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const char letter = text.size() > 1 && text[0] == '0' ? static_cast<char>(text[1] | 0x20) : '\0';
  const int prefixed = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
  if (prefixed != 0 && (base == prefixed || base == 0)) {
    text.remove_prefix(2);
    if (text.starts_with('_')) text.remove_prefix(1);
    base = prefixed;
  } else if (base == 0) {
    base = 10;
    if (text.starts_with('0') && text.find_first_not_of("0_") != std::string_view::npos) return {};
  }
  auto digits = without_underscores(text);
  if (!digits || digits->empty() || digits->front() == '-') return {};
  if (negative) digits->insert(0, 1, '-');
  ParsedInteger result;
  const auto [end, error] = std::from_chars(digits->data(), digits->data() + digits->size(), result.value, base);
  if (end != digits->data() + digits->size()) return {};
  result.state = error == std::errc() ? State::number : State::too_big;
  return result;
}

// float(text), 'nan', 'inf' and 'infinity' included.
inline std::optional<double> parse_real(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::string word;
  for (const char c : text.substr(0, 9)) word.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c);
  double value = 0;
  if (word == "inf" || word == "infinity") {
    value = std::numeric_limits<double>::infinity();
  } else if (word == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else {
    const auto digits = without_underscores(text);
    if (!digits || digits->empty() || digits->find_first_not_of("0123456789.eE+-") != std::string::npos ||
        digits->front() == '-' || digits->front() == '+')
      return std::nullopt;
    const auto [end, error] = std::from_chars(digits->data(), digits->data() + digits->size(), value);
    if (end != digits->data() + digits->size()) return std::nullopt;
    if (error == std::errc::result_out_of_range) {
      const std::size_t e = digits->find_first_of("eE");
      const bool tiny = e != std::string::npos ? digits->find('-', e) != std::string::npos : digits->starts_with("0.");
      value = tiny ? 0 : std::numeric_limits<double>::infinity();
    }
  }
  return negative ? -value : value;
}

}  // namespace temper::templates
