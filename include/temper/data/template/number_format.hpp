// SPDX-License-Identifier: MIT
// Python's mini-language of formats, '{:>8.2f}' and '%8.2f': width, fill, sign, grouping, precision, and the forms of
// integers and floats. Nothing here reads the process's locale.
#pragma once
#include "temper/data/template/printing.hpp"

namespace temper::templates {

struct FormatSpec {
  std::string fill = " ";  // one character
  char align = '\0';       // < > ^ =, or none given
  char sign = '-';         // of positive numbers: '+', ' ' or nothing
  bool alternate = false;
  char grouping = '\0';
  std::int64_t width = 0, precision = -1;
  char type = '\0';
};

inline Text filled(Machine& machine, const std::string& fill, std::int64_t count) {
  machine.reserve_room(count, fill.size());
  std::string bytes;
  for (std::int64_t i = 0; i < count; ++i) bytes += fill;
  return Text(std::move(bytes));
}

inline Text padded(Machine& machine, const Text& body, const FormatSpec& spec, char otherwise) {
  const auto length = static_cast<std::int64_t>(count_code_points(body.bytes()));
  const std::int64_t missing = std::max<std::int64_t>(spec.width - length, 0);
  const char align = spec.align != '\0' ? spec.align : otherwise;
  const std::int64_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  Text result = filled(machine, spec.fill, left);
  result.append(body);
  result.append(filled(machine, spec.fill, missing - left));
  return result;
}

inline std::string grouped(const std::string& digits, char separator, std::size_t size) {
  if (separator == '\0') return digits;
  std::string result;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % size == 0) result.push_back(separator);
    result.push_back(digits[i]);
  }
  return result;
}

// Sign, prefix (0x), the whole digits, and what follows them (point, decimals, exponent, %) to the width asked for.
inline Text assembled(Machine& machine, const FormatSpec& spec, bool negative, const std::string& prefix,
                      std::string whole, const std::string& rest) {
  const std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  const std::size_t size = spec.type == 'x' || spec.type == 'X' || spec.type == 'o' || spec.type == 'b' ? 4 : 3;
  const std::string head = sign + prefix;
  std::string number = grouped(whole, spec.grouping, size) + rest;
  const char align = spec.align != '\0' ? spec.align : '>';
  const auto missing = [&] { return spec.width - static_cast<std::int64_t>(head.size() + number.size()); };
  if (align != '=') return padded(machine, Text(head + number), spec, '>');
  machine.reserve_room(missing(), spec.fill.size());
  if (spec.fill == "0" && spec.grouping != '\0' && missing() > 0) {
    whole.insert(0, static_cast<std::size_t>(missing()), '0');
    while (whole.size() > 1 && whole[0] == '0') {  // the fewest zeros that reach the width
      const std::string shorter = grouped(whole.substr(1), spec.grouping, size);
      if (static_cast<std::int64_t>(head.size() + shorter.size() + rest.size()) < spec.width) break;
      whole.erase(0, 1);
      machine.charge(whole.size());
    }
    number = grouped(whole, spec.grouping, size) + rest;
  }
  Text result(head);
  result.append(filled(machine, spec.fill, missing()));
  result.append(number);
  return result;
}

inline std::string digits_of(std::uint64_t magnitude, char type) {
  switch (type) {
    case 'x':
      return fmt::format("{:x}", magnitude);
    case 'X':
      return fmt::format("{:X}", magnitude);
    case 'o':
      return fmt::format("{:o}", magnitude);
    case 'b':
      return fmt::format("{:b}", magnitude);
    default:
      return fmt::format("{}", magnitude);
  }
}

inline std::uint64_t magnitude_of(std::int64_t value) {
  return value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
}

inline Text format_integer(Machine& machine, const FormatSpec& spec, std::int64_t value) {
  std::string prefix;
  if (spec.alternate && (spec.type == 'x' || spec.type == 'X' || spec.type == 'o' || spec.type == 'b'))
    prefix = std::string("0") + spec.type;
  return assembled(machine, spec, value < 0, prefix, digits_of(magnitude_of(value), spec.type), "");
}

// A float of no given type but a precision: as 'g', with a point at least.
inline std::string general_real(double magnitude, std::int64_t precision) {
  precision = std::max<std::int64_t>(precision, 1);
  const std::string exponential = fmt::format("{:.{}e}", magnitude, static_cast<int>(precision - 1));
  int exponent = 0;
  const std::size_t e = exponential.find('e');
  std::from_chars(exponential.data() + e + (exponential[e + 1] == '+' ? 2 : 1), exponential.data() + exponential.size(),
                  exponent);
  const bool scientific = exponent < -4 || exponent + 1 > precision - 1;
  std::string digits = scientific ? exponential.substr(0, e)
                                  : fmt::format("{:.{}f}", magnitude, static_cast<int>(precision - 1 - exponent));
  if (digits.find('.') != std::string::npos) {
    while (digits.back() == '0') digits.pop_back();
    if (digits.back() == '.') digits.pop_back();
  }
  if (scientific) return digits + exponential.substr(e);
  return digits.find('.') == std::string::npos ? digits + ".0" : digits;
}

inline std::string real_digits(double magnitude, const FormatSpec& spec) {
  const char type = static_cast<char>(spec.type | 0x20);
  const int precision = static_cast<int>(spec.precision < 0 ? 6 : spec.precision);
  if (spec.type == '\0') return spec.precision < 0 ? float_text(magnitude) : general_real(magnitude, spec.precision);
  if (spec.type == '%') return fmt::format("{:.{}f}%", magnitude * 100, precision);
  const std::string_view form = type == 'e'   ? (spec.alternate ? "{:#.{}e}" : "{:.{}e}")
                                : type == 'f' ? (spec.alternate ? "{:#.{}f}" : "{:.{}f}")
                                              : (spec.alternate ? "{:#.{}g}" : "{:.{}g}");
  return fmt::format(fmt::runtime(form), magnitude, precision);
}

inline Text format_real(Machine& machine, const FormatSpec& spec, double value) {
  constexpr std::int64_t most_digits = 100'000;
  if (spec.precision > most_digits)
    fail_at(machine.at, "chat_template.limit", "a number with more than {} decimals", most_digits);
  machine.charge(static_cast<std::size_t>(std::max<std::int64_t>(spec.precision, 0)) + 400);
  const bool negative = std::signbit(value) && !std::isnan(value);
  const bool upper = spec.type == 'E' || spec.type == 'F' || spec.type == 'G';
  const double magnitude = std::isnan(value) ? value : std::abs(value);
  std::string digits = std::isfinite(value) ? real_digits(magnitude, spec) : std::isnan(value) ? "nan" : "inf";
  if (!std::isfinite(value) && spec.type == '%') digits += '%';
  if (upper)
    for (char& c : digits) c = c >= 'a' && c <= 'z' ? static_cast<char>(c & ~0x20) : c;
  const std::size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
  return assembled(machine, spec, negative, "", digits.substr(0, whole), digits.substr(whole));
}

}  // namespace temper::templates
