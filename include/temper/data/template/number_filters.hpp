// SPDX-License-Identifier: MIT
// Filters that make numbers: int, float, round, abs, sum.
#pragma once
#include "temper/data/template/lookup.hpp"

namespace temper::templates {

[[noreturn]] inline void too_big(const Machine& machine) { machine.error("an integer does not fit in 64 bits"); }

inline Value truncated_real(const Machine& machine, double number) {
  if (!(std::abs(number) < 9223372036854775807.0)) too_big(machine);
  return Value(static_cast<std::int64_t>(number));
}

inline Value int_filter(Machine& machine, const Value& value, const Given& given) {
  const Value otherwise = given[0] ? *given[0] : Value(std::int64_t{0});
  if (value.is_undefined()) undefined_error(machine, value);
  if (const auto number = as_integer(value)) return Value(*number);
  if (const double* number = value.get<double>()) {
    if (std::isinf(*number)) machine.error("int: infinity is no integer");
    return std::isnan(*number) ? otherwise : truncated_real(machine, *number);
  }
  if (!value.text()) return otherwise;
  const Text stripped = strip(*value.text(), Side::both, nullptr);
  machine.charge(stripped.size());
  const std::int64_t base = given[1] && as_integer(*given[1]) ? *as_integer(*given[1]) : given[1] ? 1 : 10;
  if (base == 0 || (base >= 2 && base <= 36)) {
    const ParsedInteger parsed = parse_integer(stripped.bytes(), static_cast<int>(base));
    if (parsed.state == ParsedInteger::State::number) return Value(parsed.value);
    if (parsed.state == ParsedInteger::State::too_big) too_big(machine);
  }
  const auto real = parse_real(stripped.bytes());
  return real && std::isfinite(*real) ? truncated_real(machine, *real) : otherwise;
}

inline Value float_filter(Machine& machine, const Value& value, const Given& given) {
  if (value.is_undefined()) undefined_error(machine, value);
  if (const auto number = as_double(value)) return Value(*number);
  const Value otherwise = given[0] ? *given[0] : Value(0.0);
  if (!value.text()) return otherwise;
  machine.charge(value.text()->size());
  const auto real = parse_real(strip(*value.text(), Side::both, nullptr).bytes());
  return real ? Value(*real) : otherwise;
}

// round(float, digits): of the exact decimal value, to even at half.
inline double rounded(double number, std::int64_t digits) {
  if (!std::isfinite(number) || number == 0 || digits > 323) return number;
  if (digits < -308) return std::copysign(0.0, number);
  char buffer[800];
  std::to_chars_result result{};
  if (digits >= 0) {
    result = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::fixed, static_cast<int>(digits));
  } else {
    const int exponent = static_cast<int>(std::floor(std::log10(std::abs(number))));
    const std::int64_t precision = exponent + digits;
    const double unit = std::pow(10.0, static_cast<double>(-digits));
    if (precision < 0) return std::copysign(std::abs(number) > unit / 2 ? unit : 0.0, number);
    result = std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::scientific,
                           static_cast<int>(precision));
  }
  double value = number;
  std::from_chars(buffer, result.ptr, value);
  return value;
}

inline std::int64_t rounded_integer(const Machine& machine, std::int64_t number, std::int64_t digits) {
  if (digits >= 0) return number;
  if (digits < -18) return 0;
  std::int64_t unit = 1;
  for (std::int64_t i = digits; i < 0; ++i) unit *= 10;
  const std::int64_t whole = floor_divide(number, unit), rest = number - whole * unit;
  const bool up = rest > unit - rest || (rest == unit - rest && whole % 2 != 0);
  std::int64_t result = 0;
  if (__builtin_mul_overflow(whole + (up ? 1 : 0), unit, &result)) too_big(machine);
  return result;
}

inline Value round_filter(Machine& machine, const Value& value, const Given& given) {
  const auto whole = as_integer(value);
  const auto number = as_double(value);
  if (!number) machine.error("round: expected a number, found {}", type_name(value));
  const std::string method = given[1] ? given.text(1).bytes() : "common";
  if (method == "common") {
    if (given[0] && given[0]->is_none()) return whole ? Value(*whole) : truncated_real(machine, rounded(*number, 0));
    const std::int64_t digits = given.integer(0, 0);
    return whole ? Value(rounded_integer(machine, *whole, digits)) : Value(rounded(*number, digits));
  }
  if (method != "ceil" && method != "floor") machine.error("round: the method must be common, ceil or floor");
  const double scale = std::pow(10.0, static_cast<double>(std::clamp<std::int64_t>(given.integer(0, 0), -400, 400)));
  const double scaled = *number * scale;
  if (!std::isfinite(scaled) || scale == 0) machine.error("round: the number is out of range");
  return Value((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

inline Value abs_filter(Machine& machine, const Value& value, const Given&) {
  if (const auto number = as_integer(value)) return integer_arithmetic(machine, "*", *number, *number < 0 ? -1 : 1);
  if (const double* number = value.get<double>()) return Value(std::abs(*number));
  if (value.is_undefined()) undefined_error(machine, value);
  machine.error("abs: expected a number, found {}", type_name(value));
}

inline Value sum_filter(Machine& machine, const Value& value, const Given& given) {
  Value total = given[1] ? *given[1] : Value(std::int64_t{0});
  if (total.text()) machine.error("sum: strings cannot be summed; use join");
  for (const Value& item : items_of(machine, value))
    total = arithmetic(machine, "+", total, attribute_or_itself(machine, item, given[0]));
  return total;
}

}  // namespace temper::templates
