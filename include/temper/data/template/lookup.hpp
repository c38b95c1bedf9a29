// SPDX-License-Identifier: MIT
// How filters look into the items of a list: attribute='a.b.0', without regard to letter case unless asked.
#pragma once
#include "temper/data/template/jinja_tests.hpp"

namespace temper::templates {

// 'a.b.0' part by part: items by name, digits by position. What is missing on the way is 'otherwise', if that is given.
inline Value attribute_path(Machine& machine, const Value& value, const Value& path, const Value* otherwise = nullptr) {
  const Text* text = path.text();
  static const Text dot(std::string("."));
  std::vector<Value> parts = text ? split(machine, *text, &dot, -1) : std::vector<Value>{path};
  Value found = value;
  for (Value& part : parts) {
    const auto position =
        text && all_characters(*part.text(), is_digit) ? parse_integer(part.text()->bytes(), 10) : ParsedInteger{};
    if (position.state == ParsedInteger::State::number) part = Value(position.value);
    found = get_item(machine, found, part);
    if (found.is_undefined() && otherwise && !otherwise->is_none()) found = *otherwise;
  }
  return found;
}

inline Value attribute_or_itself(Machine& machine, const Value& value, const Value* path,
                                 const Value* otherwise = nullptr) {
  return path && !path->is_none() ? attribute_path(machine, value, *path, otherwise) : value;
}

enum class Letters : std::uint8_t { as_they_are, without_case };

inline Value comparable(Machine& machine, const Value& value, Letters letters) {
  if (value.text()) charge_characters(machine, *value.text());
  return value.text() && letters == Letters::without_case ? machine.text(in_case(*value.text(), LetterCase::lower))
                                                          : value;
}

inline Value generator(Machine& machine, std::vector<Value> items) {
  return machine.sequence(Sequence::Kind::generator, std::move(items));
}

}  // namespace temper::templates
