// SPDX-License-Identifier: MIT
// value[key] and value[start:stop:step] as Python and Jinja have them.
#pragma once
#include "temper/data/template/iteration.hpp"

#include <array>

namespace temper::templates {

// value[start:stop:step] with Python's clamping; none stands for what was left out.
inline Value slice(Machine& machine, const Value& value, std::array<std::optional<std::int64_t>, 3> bounds) {
  const Text* text = value.text();
  const Sequence* list = value.sequence();
  if (value.is_undefined()) undefined_error(machine, value);
  if (!text && !(list && list->is_indexed())) machine.error("a {} cannot be sliced", type_name(value));
  const auto size = static_cast<std::int64_t>(text ? count_code_points(text->bytes()) : list->items.size());
  const std::int64_t step = bounds[2].value_or(1);
  if (step == 0) machine.error("a slice's step cannot be zero");
  const auto clamp = [&](std::int64_t at) {
    if (at < 0) at = at < -size ? -1 : at + size;
    return std::clamp(at, step > 0 ? std::int64_t{0} : std::int64_t{-1}, step > 0 ? size : size - 1);
  };
  const std::int64_t start = bounds[0] ? clamp(*bounds[0]) : step > 0 ? 0 : size - 1;
  const std::int64_t stop = bounds[1] ? clamp(*bounds[1]) : step > 0 ? size : -1;
  machine.charge(text ? text->size() : list->items.size());
  if (text && step == 1) {
    if (start >= stop) return Value(Text());
    const std::size_t begin = byte_of_code_point(text->bytes(), static_cast<std::size_t>(start));
    const std::string_view rest = std::string_view(text->bytes()).substr(begin);
    return machine.text(text->slice(begin, begin + byte_of_code_point(rest, static_cast<std::size_t>(stop - start))));
  }
  const std::vector<Value> whole = text ? items_of(machine, value) : list->items;
  std::vector<Value> part;
  for (std::int64_t at = start; step > 0 ? at < stop : at > stop;) {
    part.push_back(whole[static_cast<std::size_t>(at)]);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  if (!text) {
    Sequence made{list->kind == Sequence::Kind::group ? Sequence::Kind::tuple : list->kind,
                  std::move(part),
                  list->message,
                  {},
                  {},
                  false};
    const std::int64_t first = list->bounds[0], stride = list->bounds[2];
    const auto number = [&](std::int64_t index) {
      std::int64_t result = 0;  // wraps where Python would have a larger integer; it is for printing only
      static_cast<void>(__builtin_mul_overflow(index, stride, &result) ||
                        __builtin_add_overflow(result, first, &result));
      return result;
    };
    if (made.kind == Sequence::Kind::range) made.bounds = {number(start), number(stop), stride * step};
    return machine.sequence(std::move(made));
  }
  Text joined;
  for (const Value& character : part) joined.append(*character.text());
  return machine.text(text->is_markup() ? joined.as_markup() : std::move(joined));
}

// value[key] where the key is no string that names a method; undefined where there is nothing.
inline Value item(Machine& machine, const Value& value, const Value& key) {
  if (value.is_undefined()) undefined_error(machine, value);
  if (const Dict* dict = value.dict()) {
    machine.charge(dict->entries.size() * 2);
    const Value* found = key.text() ? find(*dict, key.text()->bytes()) : is_hashable(key) ? find(*dict, key) : nullptr;
    if (found) return *found;
  }
  const auto index = as_integer(key);
  const Sequence* list = value.sequence();
  if (const Text* text = value.text(); text && index) {
    machine.charge(text->size() / 2);
    const auto size = static_cast<std::int64_t>(count_code_points(text->bytes()));
    const std::int64_t at = *index < 0 ? *index + size : *index;
    if (at >= 0 && at < size) {
      const std::size_t begin = byte_of_code_point(text->bytes(), static_cast<std::size_t>(at));
      return Value(text->slice(begin, begin + code_point_at(text->bytes(), begin).bytes));
    }
  } else if (list && index && list->is_indexed()) {
    const auto size = static_cast<std::int64_t>(list->items.size());
    const std::int64_t at = *index < 0 ? *index + size : *index;
    if (at >= 0 && at < size) return list->items[static_cast<std::size_t>(at)];
  }
  if (const Text* name = key.text())
    return Value::undefined(fmt::format("'{}' object has no attribute '{}'", type_name(value), name->bytes()));
  return Value::undefined(index ? fmt::format("{} object has no element {}", type_name(value), *index)
                                : fmt::format("{} object has no such element", type_name(value)));
}

}  // namespace temper::templates
