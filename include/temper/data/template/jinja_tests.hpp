// SPDX-License-Identifier: MIT
// Jinja's tests: what may follow 'is', and what select and reject take by name.
#pragma once
#include "temper/data/template/methods.hpp"

namespace temper::templates {

inline const Value& operand(const Machine& machine, const Arguments& arguments, std::string_view name) {
  if (arguments.positional.empty()) machine.error("test '{}' needs an argument", name);
  return arguments.positional[0];
}

// Tests of the value's type; nothing if the name is none of them.
inline std::optional<bool> type_test(std::string_view name, const Value& value) {
  const bool boolean = value.is<bool>();
  const bool integer = value.is<std::int64_t>();
  if (name == "defined") return !value.is_undefined();
  if (name == "undefined") return value.is_undefined();
  if (name == "none") return value.is_none();
  if (name == "boolean") return boolean;
  if (name == "true") return boolean && truth(value);
  if (name == "false") return boolean && !truth(value);
  if (name == "integer") return integer;
  if (name == "float") return value.is<double>();
  if (name == "number") return boolean || integer || value.is<double>();
  if (name == "string") return value.text() != nullptr;
  if (name == "mapping") return value.dict() != nullptr;
  if (name == "callable") return value.callable() != nullptr;
  const bool list = value.sequence() != nullptr;
  const bool iterable = value.text() || list || value.dict() || value.is_undefined() || value.loop();
  if (name == "iterable") return iterable;
  if (name == "sequence")
    return iterable && !value.loop() && (!list || value.sequence()->kind <= Sequence::Kind::range);
  return std::nullopt;
}

inline bool apply_test(Machine& machine, std::string_view name, const Value& value, const Arguments& arguments) {
  if (const auto answer = type_test(name, value)) {
    arguments.check(machine, name, {});
    return *answer;
  }
  static constexpr std::pair<std::string_view, std::string_view> comparisons[] = {
      {"eq", "=="}, {"equalto", "=="},    {"==", "=="}, {"ne", "!="}, {"!=", "!="}, {"lt", "<"},
      {"<", "<"},   {"lessthan", "<"},    {"le", "<="}, {"<=", "<="}, {"gt", ">"},  {">", ">"},
      {"ge", ">="}, {"greaterthan", ">"}, {">=", ">="}, {"in", "in"}};
  for (const auto& [alias, sign] : comparisons)
    if (name == alias) return compare(machine, sign, value, operand(machine, arguments, name));
  if (name == "sameas") {
    const Value& other = operand(machine, arguments, name);
    return value.form().index() == other.form().index() && machine.same(value, other);
  }
  if (name == "odd" || name == "even" || name == "divisibleby") {
    const auto number = as_integer(value);
    if (!number) machine.error("test '{}' needs an integer, found {}", name, type_name(value));
    const std::int64_t divisor = name == "divisibleby" ? as_integer(operand(machine, arguments, name)).value_or(0) : 2;
    if (divisor == 0) machine.error("division by zero");
    const bool divides = divisor == -1 || *number % divisor == 0;
    return name == "odd" ? !divides : divides;
  }
  if (name == "upper" || name == "lower")
    return cased(to_text(machine, value), name == "upper" ? LetterCase::upper : LetterCase::lower);
  machine.error("no test named '{}'", name);
}

}  // namespace temper::templates
