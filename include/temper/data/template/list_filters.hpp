// SPDX-License-Identifier: MIT
// Filters over lists: join, select, reject, batch, slice, first, last, reverse, ... map, select and their like
// yield once, as Python's generators do, which is why 'x|select(...)' is always true and has no length.
#pragma once
#include "temper/data/template/lookup.hpp"

namespace temper::templates {

// The first arguments are the filter's own; the rest go to the filter or test that it names.
inline Arguments rest_of(const Arguments& arguments, std::size_t own) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<std::ptrdiff_t>(own));
  return rest;
}

enum class Keep : std::uint8_t { passing, failing };
enum class Subject : std::uint8_t { item, attribute };

// select, reject: (test, arguments...); selectattr, rejectattr: (attribute, test, arguments...).
inline Value select_items(Machine& machine, const Value& value, const Arguments& arguments, Subject subject,
                          Keep keep) {
  if (!truth(value)) return generator(machine, {});
  const std::size_t own = subject == Subject::attribute ? 1 : 0;
  if (arguments.positional.size() < own) machine.error("the filter needs the name of an attribute");
  std::string test;
  if (arguments.positional.size() > own) {
    const Text* name = arguments.positional[own].text();
    if (!name) machine.error("expected the name of a test, found {}", type_name(arguments.positional[own]));
    test = name->bytes();
  }
  const Arguments rest = rest_of(arguments, own + (test.empty() ? 0 : 1));
  std::vector<Value> kept;
  for (const Value& item : items_of(machine, value)) {
    const Value looked_at = own == 0 ? item : attribute_or_itself(machine, item, &arguments.positional[0]);
    const bool passes = test.empty() ? truth(looked_at) : apply_test(machine, test, looked_at, rest);
    if (passes == (keep == Keep::passing)) kept.push_back(item);
  }
  return generator(machine, std::move(kept));
}

inline Value join_filter(Machine& machine, const Value& value, const Given& given) {
  std::vector<Value> items = items_of(machine, value);
  for (Value& item : items) item = attribute_or_itself(machine, item, given[1]);
  return join(machine, given[0] ? to_text(machine, *given[0]) : Text(), items);
}

inline Value first_filter(Machine& machine, const Value& value, const Given&) {
  const std::vector<Value> items = items_of(machine, value);
  return items.empty() ? Value::undefined("No first item, sequence was empty.") : items.front();
}

inline Value last_filter(Machine& machine, const Value& value, const Given&) {
  const Sequence* list = value.sequence();
  if (list && list->kind == Sequence::Kind::generator) machine.error("last: a generator has no end; add '|list'");
  const std::vector<Value> items = items_of(machine, value);
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

inline Value reverse_filter(Machine& machine, const Value& value, const Given&) {
  const Sequence* list = value.sequence();
  const bool generated = list && list->kind == Sequence::Kind::generator;
  std::vector<Value> items = items_of(machine, value);
  std::reverse(items.begin(), items.end());
  if (!value.text())
    return machine.sequence(generated ? Sequence::Kind::list : Sequence::Kind::generator, std::move(items));
  Text text;
  for (const Value& character : items) text.append(*character.text());
  return Value(value.text()->is_markup() ? text.as_markup() : std::move(text));
}

inline Value items_filter(Machine& machine, const Value& value, const Given&) {
  if (value.is_undefined()) return generator(machine, {});
  if (!value.dict()) machine.error("items: expected a dict, found {}", type_name(value));
  return generator(machine, dict_items(machine, *value.dict()));
}

// Rows of so many items, the last one filled up.
inline Value batch_filter(Machine& machine, const Value& value, const Given& given) {
  const std::int64_t count = given.integer(0, 0);
  std::vector<Value> rows, row;
  const auto finish = [&] { rows.push_back(machine.sequence(Sequence::Kind::list, std::exchange(row, {}))); };
  for (const Value& item : items_of(machine, value)) {
    if (static_cast<std::int64_t>(row.size()) == count) finish();
    row.push_back(item);
  }
  if (!row.empty()) {
    const std::int64_t missing = count - static_cast<std::int64_t>(row.size());
    if (given[1] && !given[1]->is_none() && missing > 0) {
      machine.reserve_room(missing, sizeof(Value));
      row.resize(row.size() + static_cast<std::size_t>(missing), *given[1]);
    }
    finish();
  }
  return generator(machine, std::move(rows));
}

// So many columns of equal length but for one item, which the first ones have more or the last ones are filled with.
inline Value slice_filter(Machine& machine, const Value& value, const Given& given) {
  const std::vector<Value> items = items_of(machine, value);
  const std::int64_t slices = given.integer(0, 1), size = static_cast<std::int64_t>(items.size());
  if (slices == 0) machine.error("slice: division by zero");
  machine.reserve_room(slices, sizeof(Value));
  const std::int64_t each = floor_divide(size, slices), extra = size - each * slices;
  std::vector<Value> columns;
  auto at = items.begin();
  for (std::int64_t i = 0; i < slices; ++i) {
    const auto end = at + static_cast<std::ptrdiff_t>(each + (i < extra ? 1 : 0));
    std::vector<Value> column(at, end);
    if (given[1] && !given[1]->is_none() && i >= extra) column.push_back(*given[1]);
    columns.push_back(machine.sequence(Sequence::Kind::list, std::move(column)));
    at = end;
  }
  return generator(machine, std::move(columns));
}

inline Value length_filter(Machine& machine, const Value& value, const Given&) {
  const auto length = length_of(value);
  if (!length) machine.error("a {} has no length", type_name(value));
  if (const Text* text = value.text()) machine.charge(text->size() / 2);
  return Value(static_cast<std::int64_t>(*length));
}

inline Value attr_filter(Machine& machine, const Value& value, const Given& given) {
  const std::string& name = given.text(0).bytes();
  if (value.is_undefined()) undefined_error(machine, value);
  if (auto found = find_attribute(value, name)) return *found;
  return Value::undefined(fmt::format("'{}' object has no attribute '{}'", type_name(value), name));
}

}  // namespace temper::templates
