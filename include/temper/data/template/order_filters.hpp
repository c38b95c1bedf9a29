// SPDX-License-Identifier: MIT
// Filters that compare items: sort, dictsort, unique, groupby, min, max. Strings compare without case unless asked.
#pragma once
#include "temper/data/template/lookup.hpp"

namespace temper::templates {

enum class Direction : std::uint8_t { ascending, descending };

inline std::vector<std::size_t> sorted_order(Machine& machine, const std::vector<Value>& keys, Direction direction) {
  std::vector<std::size_t> places(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) places[i] = i;
  if (direction == Direction::descending) std::reverse(places.begin(), places.end());  // equal ones keep their order
  std::stable_sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
    machine.charge(1);
    return order(machine, "<", keys[a], keys[b]) == -1;
  });
  if (direction == Direction::descending) std::reverse(places.begin(), places.end());
  return places;
}

inline std::vector<Value> in_order(const std::vector<Value>& items, const std::vector<std::size_t>& places) {
  std::vector<Value> result;
  result.reserve(items.size());
  for (const std::size_t at : places) result.push_back(items[at]);
  return result;
}

inline Letters letters_of(const Given& given, std::size_t at) {
  return given.flag(at) ? Letters::as_they_are : Letters::without_case;
}

// attribute='a.b,c' sorts by several, as a list of keys.
inline Value sort_filter(Machine& machine, const Value& value, const Given& given) {
  const std::vector<Value> items = items_of(machine, value);
  static const Text comma(std::string(","));
  std::vector<Value> paths = {given[2] ? *given[2] : Value(None{})};
  if (paths[0].text()) {
    const Text several = *paths[0].text();
    paths = split(machine, several, &comma, -1);
  }
  std::vector<Value> keys;
  for (const Value& item : items) {
    std::vector<Value> parts;
    parts.reserve(paths.size());
    for (const Value& path : paths)
      parts.push_back(comparable(machine, attribute_or_itself(machine, item, &path), letters_of(given, 1)));
    keys.push_back(machine.sequence(Sequence::Kind::list, std::move(parts)));
  }
  const Direction direction = given.flag(0) ? Direction::descending : Direction::ascending;
  return machine.sequence(Sequence::Kind::list, in_order(items, sorted_order(machine, keys, direction)));
}

inline Value dictsort_filter(Machine& machine, const Value& value, const Given& given) {
  if (value.is_undefined()) undefined_error(machine, value);
  if (!value.dict()) machine.error("dictsort: expected a dict, found {}", type_name(value));
  const std::string by = given[1] ? given.text(1).bytes() : "key";
  if (by != "key" && by != "value") machine.error("dictsort: 'by' must be \"key\" or \"value\"");
  const std::vector<Value> items = dict_items(machine, *value.dict());
  std::vector<Value> keys;
  for (const auto& [key, held] : value.dict()->entries)
    keys.push_back(comparable(machine, by == "value" ? held : key, letters_of(given, 0)));
  const Direction direction = given.flag(2) ? Direction::descending : Direction::ascending;
  return machine.sequence(Sequence::Kind::list, in_order(items, sorted_order(machine, keys, direction)));
}

inline Value unique_filter(Machine& machine, const Value& value, const Given& given) {
  std::vector<Value> kept, keys;
  for (const Value& item : items_of(machine, value)) {
    Value key = comparable(machine, attribute_or_itself(machine, item, given[1]), letters_of(given, 0));
    require_hashable(machine, key);
    if (std::any_of(keys.begin(), keys.end(), [&](const Value& seen) { return machine.same(seen, key); })) continue;
    keys.push_back(std::move(key));
    kept.push_back(item);
  }
  return generator(machine, std::move(kept));
}

// Pairs of what the items have in common and the items, sorted by it; the first item's spelling stands for all.
inline Value groupby_filter(Machine& machine, const Value& value, const Given& given) {
  const std::vector<Value> items = items_of(machine, value);
  std::vector<Value> keys, shown;
  for (const Value& item : items) {
    shown.push_back(attribute_or_itself(machine, item, given[0], given[1]));
    keys.push_back(comparable(machine, shown.back(), letters_of(given, 2)));
  }
  const std::vector<std::size_t> places = sorted_order(machine, keys, Direction::ascending);
  std::vector<Value> groups;
  for (std::size_t i = 0; i < places.size();) {
    std::vector<Value> members;
    const std::size_t first = i;
    for (; i < places.size() && machine.same(keys[places[first]], keys[places[i]]); ++i)
      members.push_back(items[places[i]]);
    if (members.empty()) members.push_back(items[places[i++]]);  // NaN equals nothing
    groups.push_back(machine.sequence(
        Sequence::Kind::group, {shown[places[first]], machine.sequence(Sequence::Kind::list, std::move(members))}));
  }
  return machine.sequence(Sequence::Kind::list, std::move(groups));
}

inline Value extreme(Machine& machine, const Value& value, const Given& given, int wanted) {
  const std::vector<Value> items = items_of(machine, value);
  if (items.empty()) return Value::undefined("No aggregated item, sequence was empty.");
  const auto key_of = [&](const Value& item) {
    return comparable(machine, attribute_or_itself(machine, item, given[1]), letters_of(given, 0));
  };
  std::size_t best = 0;
  Value best_key = key_of(items[0]);
  for (std::size_t i = 1; i < items.size(); ++i) {
    Value key = key_of(items[i]);
    if (order(machine, "<", key, best_key) != wanted) continue;
    best = i;
    best_key = std::move(key);
  }
  return items[best];
}

}  // namespace temper::templates
