// SPDX-License-Identifier: MIT
// What can be walked: 'for', len(), 'in', and the order of '<' and its like.
#pragma once
#include "temper/data/template/printing.hpp"

namespace temper::templates {

// What a 'for' loop over the value visits.
inline std::vector<Value> items_of(Machine& machine, const Value& value) {
  if (const Sequence* s = value.sequence()) {
    if (s->consumed) return {};
    s->consumed = s->kind == Sequence::Kind::generator;
    machine.charge(s->items.size() * sizeof(Value));
    return s->items;
  }
  std::vector<Value> items;
  if (value.is_undefined()) return items;
  if (const Dict* dict = value.dict()) {
    machine.charge(dict->entries.size() * sizeof(Value));
    for (const auto& [key, held] : dict->entries) items.push_back(key);
    return items;
  }
  if (const Text* text = value.text()) {
    machine.charge(text->size() * (sizeof(Value) + sizeof(Text)));
    for (std::size_t at = 0; at < text->size();) {
      const std::size_t next = at + code_point_at(text->bytes(), at).bytes;
      items.emplace_back(text->slice(at, next).as_plain());
      at = next;
    }
    return items;
  }
  machine.error("'{}' is not iterable", type_name(value));
}

inline std::optional<std::size_t> length_of(const Value& value) {
  if (const Text* text = value.text()) return count_code_points(text->bytes());
  if (const Sequence* s = value.sequence(); s && s->kind != Sequence::Kind::generator) return s->items.size();
  if (const Dict* dict = value.dict()) return dict->entries.size();
  if (const Loop* loop = value.loop()) return loop->items.size();
  if (value.is_undefined()) return 0;
  return std::nullopt;
}

// Keys of dicts and members of sets must never change, as Python's hash() asks.
inline bool is_hashable(const Value& value) {
  if (value.dict()) return false;
  const Sequence* list = value.sequence();
  using Kind = Sequence::Kind;
  if (!list || list->kind == Kind::range || list->kind == Kind::values || list->kind == Kind::generator) return true;
  return list->is_tuple() && std::all_of(list->items.begin(), list->items.end(), is_hashable);
}
inline void require_hashable(const Machine& machine, const Value& value) {
  if (!is_hashable(value)) machine.error("a {} cannot be a key", type_name(value));
}

inline bool contains(Machine& machine, const Value& container, const Value& item) {
  if (const Text* text = container.text()) {
    const Text* part = item.text();
    if (!part) machine.error("'in <string>' requires a string on its left, not {}", type_name(item));
    machine.charge(text->size() + text->size() / 64 * std::min(part->size(), text->size()));
    return text->bytes().find(part->bytes()) != std::string::npos;
  }
  if (const Dict* dict = container.dict()) {
    require_hashable(machine, item);
    machine.charge(dict->entries.size() * 8);
    return find(*dict, item) != nullptr;
  }
  if (const Sequence* s = container.sequence(); s && s->kind == Sequence::Kind::keys) require_hashable(machine, item);
  for (const Value& held : items_of(machine, container))
    if (machine.same(held, item)) return true;
  return false;
}

// -1, 0 or 1, or 2 where neither is less (NaN); strings by code point, which UTF-8 keeps as byte order.
inline int order(Machine& machine, std::string_view sign, const Value& a, const Value& b) {
  if (const auto numbers = compare_numbers(a, b)) return *numbers;
  const Text *text = a.text(), *other_text = b.text();
  if (text && other_text) {
    machine.charge(std::min(text->size(), other_text->size()));
    const int compared = text->bytes().compare(other_text->bytes());
    return compared < 0 ? -1 : compared > 0;
  }
  const Sequence *list = a.sequence(), *other = b.sequence();
  const bool lists = list && other && list->is_list_or_tuple() && list->is_tuple() == other->is_tuple();
  if (lists && other->is_list_or_tuple()) {
    for (std::size_t i = 0; i < std::min(list->items.size(), other->items.size()); ++i)
      if (!machine.same(list->items[i], other->items[i])) return order(machine, sign, list->items[i], other->items[i]);
    return list->items.size() < other->items.size() ? -1 : list->items.size() > other->items.size();
  }
  if (a.is_undefined()) undefined_error(machine, a);
  if (b.is_undefined()) undefined_error(machine, b);
  machine.error("'{}' is not supported between '{}' and '{}'", sign, type_name(a), type_name(b));
}

inline bool compare(Machine& machine, std::string_view sign, const Value& a, const Value& b) {
  if (sign == "==") return machine.same(a, b);
  if (sign == "!=") return !machine.same(a, b);
  if (sign == "in") return contains(machine, b, a);
  if (sign == "not in") return !contains(machine, b, a);
  const int result = order(machine, sign, a, b);
  if (sign == "<") return result == -1;
  if (sign == "<=") return result == -1 || result == 0;
  if (sign == ">") return result == 1;
  return result == 1 || result == 0;
}

}  // namespace temper::templates
