// SPDX-License-Identifier: MIT
// The operators + - * / // % ** as Python has them: floor division, exact 64-bit integers (a larger one is an error),
// lists and strings that add and repeat.
#pragma once
#include "temper/data/template/iteration.hpp"
#include "temper/data/template/percent_format.hpp"

namespace temper::templates {

inline std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - ((a % b != 0) && ((a < 0) != (b < 0)));
}

inline Value repeat(Machine& machine, const Value& value, std::int64_t times) {
  const Text* text = value.text();
  const std::size_t size = text ? text->size() : value.sequence()->items.size() * 16;
  machine.reserve_room(times, size);
  const std::int64_t count = size == 0 ? 0 : times;
  if (text) {
    Text result;
    std::string bytes;
    if (text->runs().empty() && count > 0) {
      bytes.reserve(static_cast<std::size_t>(count) * size);
      for (std::int64_t i = 0; i < count; ++i) bytes += text->bytes();
      result = Text(std::move(bytes));
    }
    for (std::int64_t i = 0; i < count && !text->runs().empty(); ++i) result.append(*text);
    return Value(text->is_markup() ? result.as_markup() : std::move(result));
  }
  std::vector<Value> items;
  for (std::int64_t i = 0; i < count; ++i)
    items.insert(items.end(), value.sequence()->items.begin(), value.sequence()->items.end());
  return machine.sequence(value.sequence()->kind, std::move(items));
}

inline Value integer_arithmetic(Machine& machine, std::string_view sign, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  if (sign == "+") overflow = __builtin_add_overflow(a, b, &result);
  if (sign == "-") overflow = __builtin_sub_overflow(a, b, &result);
  if (sign == "*") overflow = __builtin_mul_overflow(a, b, &result);
  if (sign == "//" || sign == "%") {
    if (b == 0) machine.error("division by zero");
    overflow = b == -1 && a == INT64_MIN;
    if (!overflow) result = sign == "//" ? floor_divide(a, b) : a - floor_divide(a, b) * b;
  }
  if (overflow) machine.error("an integer does not fit in 64 bits");
  return Value(result);
}

inline Value power(Machine& machine, const Value& a, const Value& b) {
  const auto base = as_integer(a), exponent = as_integer(b);
  if (!base || !exponent || *exponent < 0) {
    const double x = *as_double(a), y = *as_double(b);
    if (x == 0 && y < 0) machine.error("division by zero");
    const double result = std::pow(x, y);
    if (std::isnan(result) && !std::isnan(x) && !std::isnan(y)) machine.error("a complex number is not supported");
    if (std::isinf(result) && !std::isinf(x) && !std::isinf(y)) machine.error("the result of '**' is out of range");
    return Value(result);
  }
  std::int64_t result = 1;
  if (*base == 0 || *base == 1) return Value(*exponent == 0 ? std::int64_t{1} : *base);
  if (*base == -1) return Value(*exponent % 2 == 0 ? std::int64_t{1} : std::int64_t{-1});
  for (std::int64_t i = 0; i < *exponent; ++i)
    if (__builtin_mul_overflow(result, *base, &result)) machine.error("an integer does not fit in 64 bits");
  return Value(result);
}

// Python's float floor division and remainder: the remainder has the divisor's sign.
inline Value real_division(std::string_view sign, double a, double b) {
  double rest = std::fmod(a, b), quotient = (a - rest) / b;
  if (rest != 0) {
    if ((b < 0) != (rest < 0)) rest += b, quotient -= 1;
  } else {
    rest = std::copysign(0.0, b);
  }
  if (sign == "%") return Value(rest);
  if (quotient == 0) return Value(std::copysign(0.0, a / b));
  const double floor = std::floor(quotient);
  return Value(quotient - floor > 0.5 ? floor + 1 : floor);
}

inline Value add_texts(Machine& machine, const Text& a, const Text& b) {
  machine.charge(a.size() + b.size());
  const bool markup = a.is_markup() || b.is_markup();
  Text joined = markup ? escape_html(a) : a;
  joined.append(markup ? escape_html(b) : b);
  return Value(markup ? joined.as_markup() : std::move(joined));
}

inline Value number_arithmetic(Machine& machine, std::string_view sign, const Value& a, const Value& b) {
  if (sign == "**") return power(machine, a, b);
  const auto i = as_integer(a), j = as_integer(b);
  if (i && j && sign != "/") return integer_arithmetic(machine, sign, *i, *j);
  const double x = *as_double(a), y = *as_double(b);
  if ((sign == "/" || sign == "//" || sign == "%") && y == 0) machine.error("division by zero");
  if (sign == "+") return Value(x + y);
  if (sign == "-") return Value(x - y);
  if (sign == "*") return Value(x * y);
  if (sign == "/") return Value(x / y);
  return real_division(sign, x, y);
}

inline Value arithmetic(Machine& machine, std::string_view sign, const Value& a, const Value& b) {
  if (sign == "%" && a.text()) return PercentFormat(machine, *a.text(), b).apply();
  if (a.is_undefined()) undefined_error(machine, a);
  if (b.is_undefined()) undefined_error(machine, b);
  if (as_double(a) && as_double(b)) return number_arithmetic(machine, sign, a, b);
  if (sign == "+" && a.text() && b.text()) return add_texts(machine, *a.text(), *b.text());
  const Sequence *list = a.sequence(), *other = b.sequence();
  if (sign == "+" && list && other && list->is_list_or_tuple() && other->is_list_or_tuple() &&
      list->is_tuple() == other->is_tuple()) {
    std::vector<Value> items = list->items;
    items.insert(items.end(), other->items.begin(), other->items.end());
    return machine.sequence(list->is_tuple() ? Sequence::Kind::tuple : list->kind, std::move(items));
  }
  if (sign == "*") {
    const auto repeatable = [](const Value& v) {
      return v.text() || (v.sequence() && v.sequence()->is_list_or_tuple());
    };
    if (const auto times = as_integer(b); times && repeatable(a)) return repeat(machine, a, *times);
    if (const auto times = as_integer(a); times && repeatable(b)) return repeat(machine, b, *times);
  }
  machine.error("'{}' is not supported between '{}' and '{}'", sign, type_name(a), type_name(b));
}

}  // namespace temper::templates
