// SPDX-License-Identifier: MIT
// Jinja's filters as chat templates use them. Those that walk a list with another filter or test are in
// list_filters.hpp.
#pragma once
#include "temper/data/template/json_text.hpp"
#include "temper/data/template/list_filters.hpp"

namespace temper::templates {

inline Value parse_integer(Machine& machine, const Value& value, const Arguments& arguments) {
  arguments.check(machine, "int", {"default", "base"});
  const Value* given = arguments.find(0, "default");
  const Value otherwise = given ? *given : Value(std::int64_t{0});
  if (const auto number = as_integer(value)) return Value(*number);
  if (const double* number = value.get<double>()) {
    if (!(std::abs(*number) < 9.2e18)) return otherwise;
    return Value(static_cast<std::int64_t>(*number));
  }
  if (!value.text()) return otherwise;
  const Text stripped = strip(*value.text(), Side::both, nullptr);
  std::string_view digits = stripped.bytes();
  if (digits.starts_with("+")) digits.remove_prefix(1);
  std::int64_t number = 0;
  const auto base = static_cast<int>(
      std::clamp<std::int64_t>(optional_integer(machine, arguments.find(1, "base"), 10, "int"), 2, 36));
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (error == std::errc() && end == digits.data() + digits.size()) return Value(number);
  double real = 0;
  const auto [stop, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), real);
  const bool parsed = bad == std::errc() && stop == digits.data() + digits.size() && std::abs(real) < 9.2e18;
  return parsed ? Value(static_cast<std::int64_t>(real)) : otherwise;
}

inline Value parse_float(Machine& machine, const Value& value, const Arguments& arguments) {
  arguments.check(machine, "float", {"default"});
  if (const auto number = as_double(value)) return Value(*number);
  const Value* given = arguments.find(0, "default");
  const Value otherwise = given ? *given : Value(0.0);
  if (!value.text()) return otherwise;
  const Text stripped = strip(*value.text(), Side::both, nullptr);
  std::string_view digits = stripped.bytes();
  if (digits.starts_with("+")) digits.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() && !digits.empty() ? Value(number) : otherwise;
}

// Python's round(): to even at half; 'common' is that, 'ceil' and 'floor' are what they say. Always a float.
inline Value round_number(Machine& machine, const Value& value, const Arguments& arguments) {
  arguments.check(machine, "round", {"precision", "method"});
  const auto number = as_double(value);
  if (!number) machine.error("round: expected a number, found {}", type_name(value));
  const std::int64_t precision = optional_integer(machine, arguments.find(0, "precision"), 0, "round");
  const Value* given = arguments.find(1, "method");
  const std::string method = given && given->text() ? given->text()->bytes() : "common";
  const double scale = std::pow(10.0, static_cast<double>(std::clamp<std::int64_t>(precision, -300, 300)));
  const double scaled = *number * scale;
  if (method == "ceil") return Value(std::ceil(scaled) / scale);
  if (method == "floor") return Value(std::floor(scaled) / scale);
  return Value(std::nearbyint(scaled) / scale);
}

inline std::optional<Value> text_filter(Machine& machine, std::string_view name, const Value& value,
                                        const Arguments& arguments) {
  static constexpr std::string_view names[] = {"trim",    "upper",     "lower",  "capitalize", "title",
                                               "replace", "string",    "safe",   "indent",     "escape",
                                               "e",       "wordcount", "center", "format"};
  if (!is_one_of(names, name)) return std::nullopt;
  const Text text = to_text(machine, value);
  if (name == "trim") {
    arguments.check(machine, name, {"chars"});
    const Text* characters = optional_text(machine, arguments.find(0, "chars"), name);
    if (characters) machine.charge(text.size() / 16 * characters->size());
    return Value(strip(text, Side::both, characters));
  }
  if (name == "replace") {
    arguments.check(machine, name, {"old", "new", "count"});
    const Value *from = arguments.find(0, "old"), *to = arguments.find(1, "new"), *count = arguments.find(2, "count");
    if (!from || !to) machine.error("replace needs what to replace and by what");
    const std::int64_t limit = !count || count->is_none() ? -1 : optional_integer(machine, count, -1, name);
    return machine.text(replace(machine, text, to_text(machine, *from), to_text(machine, *to), limit));
  }
  if (name == "indent") {
    arguments.check(machine, name, {"width", "first", "blank"});
    const Value *width = arguments.find(0, "width"), *first = arguments.find(1, "first"),
                *blank = arguments.find(2, "blank");
    std::string margin(4, ' ');
    if (width && width->text()) margin = width->text()->bytes();
    if (width && !width->text())
      margin.assign(
          static_cast<std::size_t>(std::clamp<std::int64_t>(optional_integer(machine, width, 4, name), 0, 4096)), ' ');
    return Value(indent(machine, text, margin, first && truth(*first), blank && truth(*blank)));
  }
  arguments.check(machine, name, {});
  if (name == "upper") return Value(in_case(text, LetterCase::upper));
  if (name == "lower") return Value(in_case(text, LetterCase::lower));
  if (name == "capitalize") return Value(in_case(text, LetterCase::capitalize));
  if (name == "title") return Value(in_case(text, LetterCase::title));
  if (name == "safe") return Value(text.as_markup());
  if (name == "escape" || name == "e") return machine.text(escape_html(text).as_markup());
  if (name == "wordcount") return Value(static_cast<std::int64_t>(split(machine, text, nullptr, -1).size()));
  if (name == "center" || name == "format") machine.error("filter '{}' is not supported", name);
  return Value(text);  // string
}

inline Value apply_filter(Machine& machine, std::string_view name, const Value& value, const Arguments& arguments) {
  machine.charge(1);
  if (name == "default" || name == "d") {
    arguments.check(machine, name, {"default_value", "boolean"});
    const Value *otherwise = arguments.find(0, "default_value"), *boolean = arguments.find(1, "boolean");
    const bool replaced = value.is_undefined() || (boolean && truth(*boolean) && !truth(value));
    return !replaced ? value : otherwise ? *otherwise : Value(Text());
  }
  if (name == "tojson") return to_json(machine, value, arguments);
  if (name == "length" || name == "count") {
    arguments.check(machine, name, {});
    const auto length = length_of(value);
    if (!length) machine.error("a {} has no length", type_name(value));
    if (const Text* text = value.text()) machine.charge(text->size() / 8);
    return Value(static_cast<std::int64_t>(*length));
  }
  if (name == "int") return parse_integer(machine, value, arguments);
  if (name == "float") return parse_float(machine, value, arguments);
  if (name == "round") return round_number(machine, value, arguments);
  if (name == "abs") {
    if (const auto number = as_integer(value)) return integer_arithmetic(machine, '*', *number, *number < 0 ? -1 : 1);
    if (const double* number = value.get<double>()) return Value(std::abs(*number));
    machine.error("abs: expected a number, found {}", type_name(value));
  }
  if (auto result = text_filter(machine, name, value, arguments)) return *result;
  if (auto result = list_filter(machine, name, value, arguments)) return *result;
  machine.error("no filter named '{}'", name);
}

}  // namespace temper::templates
