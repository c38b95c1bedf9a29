// SPDX-License-Identifier: MIT
// Filters over lists and dicts: join, map, select, sort, dictsort, unique, ... map, select and their like yield once,
// as Python's generators do, which is why 'x|select(...)' is always true and has no length.
#pragma once
#include "temper/data/template/jinja_tests.hpp"

namespace temper::templates {

inline Value apply_filter(Machine& machine, std::string_view name, const Value& value, const Arguments& arguments);

// 'a.b.0' as Jinja looks attributes up for map, selectattr, sort, ...: items by name, then by position.
inline Value attribute_path(Machine& machine, const Value& value, const Value& path) {
  const Text* text = path.text();
  if (!text) return item(machine, value, path);
  Value found = value;
  for (const Value& part : split(machine, *text, std::make_unique<Text>(std::string(".")).get(), -1)) {
    const std::string& name = part.text()->bytes();
    std::int64_t position = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), position);
    const bool number = error == std::errc() && end == name.data() + name.size();
    found = item(machine, found, number ? Value(position) : part);
  }
  return found;
}

inline Value generator(Machine& machine, std::vector<Value> items) {
  return machine.sequence(Sequence::Kind::generator, std::move(items));
}

inline Value map_filter(Machine& machine, const Value& value, const Arguments& arguments) {
  std::vector<Value> items = items_of(machine, value);
  if (arguments.positional.empty()) {
    arguments.check(machine, "map", {"attribute", "default"});
    const Value *path = arguments.find(0, "attribute"), *otherwise = arguments.find(1, "default");
    if (!path) machine.error("map needs an attribute or the name of a filter");
    for (Value& item : items) {
      item = attribute_path(machine, item, *path);
      if (item.is_undefined() && otherwise) item = *otherwise;
    }
    return generator(machine, std::move(items));
  }
  const Text* name = arguments.positional[0].text();
  if (!name) machine.error("map: expected the name of a filter");
  if (name->bytes() == "map") machine.error("map: 'map' cannot be mapped");
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin());
  for (Value& item : items) item = apply_filter(machine, name->bytes(), item, rest);
  return generator(machine, std::move(items));
}

enum class Keep : std::uint8_t { passing, failing };

// select, reject: (test, arguments...); selectattr, rejectattr: (attribute, test, arguments...).
inline Value select_filter(Machine& machine, std::string_view filter, const Value& value, const Arguments& arguments) {
  const bool by_attribute = filter.ends_with("attr");
  const bool keep_passing = filter.starts_with("select");
  Arguments rest = arguments;
  Value path;
  if (by_attribute) {
    if (rest.positional.empty()) machine.error("{} needs an attribute", filter);
    path = rest.positional[0];
    rest.positional.erase(rest.positional.begin());
  }
  std::string test;
  if (!rest.positional.empty()) {
    if (!rest.positional[0].text()) machine.error("{}: expected the name of a test", filter);
    test = rest.positional[0].text()->bytes();
    rest.positional.erase(rest.positional.begin());
  }
  std::vector<Value> kept;
  for (const Value& item : items_of(machine, value)) {
    const Value subject = by_attribute ? attribute_path(machine, item, path) : item;
    const bool passes = test.empty() ? truth(subject) : apply_test(machine, test, subject, rest);
    if (passes == keep_passing) kept.push_back(item);
  }
  return generator(machine, std::move(kept));
}

// Strings compare without case unless asked, as in Jinja.
inline Value sort_key(Machine& machine, const Value& value, const Value* attribute, bool case_sensitive) {
  const Value key = attribute && !attribute->is_none() ? attribute_path(machine, value, *attribute) : value;
  return key.text() && !case_sensitive ? machine.text(in_case(*key.text(), LetterCase::lower)) : key;
}

inline std::vector<Value> sorted(Machine& machine, const std::vector<Value>& items, const std::vector<Value>& keys,
                                 bool reversed) {
  std::vector<std::size_t> order_of(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) order_of[i] = i;
  std::stable_sort(order_of.begin(), order_of.end(), [&](std::size_t a, std::size_t b) {
    machine.charge(1);
    return reversed ? order(machine, "<", keys[b], keys[a]) == -1 : order(machine, "<", keys[a], keys[b]) == -1;
  });
  std::vector<Value> result;
  result.reserve(order_of.size());
  for (const std::size_t at : order_of) result.push_back(items[at]);
  return result;
}

inline Value sort_filter(Machine& machine, const Value& value, const Arguments& arguments) {
  arguments.check(machine, "sort", {"reverse", "case_sensitive", "attribute"});
  const Value *reverse = arguments.find(0, "reverse"), *sensitive = arguments.find(1, "case_sensitive");
  const std::vector<Value> items = items_of(machine, value);
  std::vector<Value> keys;
  keys.reserve(items.size());
  for (const Value& item : items)
    keys.push_back(sort_key(machine, item, arguments.find(2, "attribute"), sensitive && truth(*sensitive)));
  return machine.sequence(Sequence::Kind::list, sorted(machine, items, keys, reverse && truth(*reverse)));
}

inline Value dictsort_filter(Machine& machine, const Value& value, const Arguments& arguments) {
  arguments.check(machine, "dictsort", {"case_sensitive", "by", "reverse"});
  const Value *sensitive = arguments.find(0, "case_sensitive"), *by = arguments.find(1, "by"),
              *reverse = arguments.find(2, "reverse");
  if (!value.dict()) machine.error("dictsort: expected a dict, found {}", type_name(value));
  const bool by_value = by && by->text() && by->text()->bytes() == "value";
  const std::vector<Value> items = dict_items(machine, *value.dict());
  std::vector<Value> keys;
  for (const auto& [key, held] : value.dict()->entries)
    keys.push_back(sort_key(machine, by_value ? held : key, nullptr, sensitive && truth(*sensitive)));
  return machine.sequence(Sequence::Kind::list, sorted(machine, items, keys, reverse && truth(*reverse)));
}

inline Value unique_filter(Machine& machine, const Value& value, const Arguments& arguments) {
  arguments.check(machine, "unique", {"case_sensitive", "attribute"});
  const Value* sensitive = arguments.find(0, "case_sensitive");
  std::vector<Value> kept, keys;
  for (const Value& item : items_of(machine, value)) {
    Value key = sort_key(machine, item, arguments.find(1, "attribute"), sensitive && truth(*sensitive));
    const auto same = [&](const Value& seen) { return machine.same(seen, key); };
    if (std::any_of(keys.begin(), keys.end(), same)) continue;
    keys.push_back(std::move(key));
    kept.push_back(item);
  }
  return generator(machine, std::move(kept));
}

inline Value reverse_filter(Machine& machine, const Value& value) {
  std::vector<Value> items = items_of(machine, value);
  std::reverse(items.begin(), items.end());
  if (!value.text()) return generator(machine, std::move(items));
  return join(machine, Text(), items);
}

inline Value edge_filter(Machine& machine, std::string_view name, const Value& value, const Arguments& arguments) {
  const bool by_attribute = name == "min" || name == "max";
  const Value* attribute = by_attribute ? arguments.find(1, "attribute") : nullptr;
  const std::vector<Value> items = items_of(machine, value);
  if (items.empty()) return Value::undefined(fmt::format("No {} item, sequence was empty.", name));
  if (name == "first") return items.front();
  if (name == "last") return items.back();
  std::size_t best = 0;
  Value best_key = sort_key(machine, items[0], attribute, false);
  for (std::size_t i = 1; i < items.size(); ++i) {
    Value key = sort_key(machine, items[i], attribute, false);
    if (order(machine, "<", key, best_key) != (name == "min" ? -1 : 1)) continue;
    best = i;
    best_key = std::move(key);
  }
  return items[best];
}

inline std::optional<Value> list_filter(Machine& machine, std::string_view name, const Value& value,
                                        const Arguments& arguments) {
  if (name == "join") {
    arguments.check(machine, name, {"d", "attribute"});
    const Value *separator = arguments.find(0, "d"), *attribute = arguments.find(1, "attribute");
    std::vector<Value> items = items_of(machine, value);
    for (Value& item : items)
      if (attribute) item = attribute_path(machine, item, *attribute);
    return join(machine, separator ? to_text(machine, *separator) : Text(), items);
  }
  if (name == "map") return map_filter(machine, value, arguments);
  if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr")
    return select_filter(machine, name, value, arguments);
  if (name == "list") return machine.sequence(Sequence::Kind::list, items_of(machine, value));
  if (name == "items") {
    if (value.is_undefined()) return generator(machine, {});
    if (!value.dict()) machine.error("items: expected a dict, found {}", type_name(value));
    return generator(machine, dict_items(machine, *value.dict()));
  }
  if (name == "first" || name == "last" || name == "min" || name == "max")
    return edge_filter(machine, name, value, arguments);
  if (name == "sort") return sort_filter(machine, value, arguments);
  if (name == "dictsort") return dictsort_filter(machine, value, arguments);
  if (name == "unique") return unique_filter(machine, value, arguments);
  if (name == "reverse") return reverse_filter(machine, value);
  if (name == "sum") {
    const Value *attribute = arguments.find(0, "attribute"), *start = arguments.find(1, "start");
    Value total = start ? *start : Value(std::int64_t{0});
    for (const Value& item : items_of(machine, value))
      total = arithmetic(machine, "+", total, attribute ? attribute_path(machine, item, *attribute) : item);
    return total;
  }
  if (name == "attr") {
    if (arguments.positional.empty()) machine.error("attr needs a name");
    return value.name_space() ? std::nullopt : std::optional(item(machine, value, arguments.positional[0]));
  }
  return std::nullopt;
}

}  // namespace temper::templates

// At the end: map() applies filters by name, so this header and that one need each other.
#include "temper/data/template/filters.hpp"
