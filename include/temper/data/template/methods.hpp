// SPDX-License-Identifier: MIT
// Methods of dicts, lists, loops and cyclers, and the attributes of every value. What would change a value in place
// (append, pop, update, ...) is undefined, as in the sandbox of transformers: calling it is an error.
#pragma once
#include "temper/data/template/brace_format.hpp"
#include "temper/data/template/filter_names.hpp"
#include "temper/data/template/indexing.hpp"
#include "temper/data/template/string_methods.hpp"

namespace temper::templates {

struct Method {
  std::string_view name;
  Signature signature;
  Value (*call)(Machine& machine, const Value& self, const Given& given);
};

inline std::vector<Value> dict_items(Machine& machine, const Dict& dict) {
  std::vector<Value> items;
  for (const auto& [key, value] : dict.entries)
    items.push_back(machine.sequence(Sequence::Kind::tuple, {key, value}, dict.message));
  return items;
}

inline Value dict_view(Machine& machine, const Dict& dict, Sequence::Kind kind) {
  if (kind == Sequence::Kind::items) return machine.sequence(kind, dict_items(machine, dict), dict.message);
  std::vector<Value> items;
  for (const auto& [key, value] : dict.entries) items.push_back(kind == Sequence::Kind::keys ? key : value);
  return machine.sequence(kind, std::move(items), dict.message);
}

inline Value dict_get(Machine& machine, const Value& self, const Given& given) {
  require_hashable(machine, given.at(0));
  machine.charge(self.dict()->entries.size() * 4);
  if (const Value* found = find(*self.dict(), given.at(0))) return *found;
  return given[1] ? *given[1] : Value(None{});
}

// The last of equal keys counts, at the place of the first.
inline void put(Machine& machine, std::vector<std::pair<Value, Value>>& entries, Value key, Value value) {
  require_hashable(machine, key);
  machine.charge(entries.size() * 16);
  for (auto& [known, held] : entries)
    if (equal(known, key)) return void(held = std::move(value));
  entries.emplace_back(std::move(key), std::move(value));
}

inline Value dict_from_keys(Machine& machine, const Value&, const Given& given) {
  std::vector<std::pair<Value, Value>> entries;
  for (const Value& key : items_of(machine, given.at(0)))
    put(machine, entries, key, given[1] ? *given[1] : Value(None{}));
  return machine.dict(std::move(entries));
}

inline Value list_count(Machine& machine, const Value& self, const Given& given) {
  std::int64_t count = 0;
  for (const Value& item : self.sequence()->items) count += machine.same(item, given.at(0));
  return Value(count);
}

inline Value list_index(Machine& machine, const Value& self, const Given& given) {
  const std::vector<Value>& items = self.sequence()->items;
  const auto size = static_cast<std::int64_t>(items.size());
  const auto bound = [&](std::size_t at, std::int64_t otherwise) {
    const std::int64_t place = given.integer(at, otherwise);
    return std::clamp<std::int64_t>(place < 0 ? (place < -size ? 0 : place + size) : place, 0, size);
  };
  for (std::int64_t i = bound(1, 0); i < bound(2, size); ++i)
    if (machine.same(items[static_cast<std::size_t>(i)], given.at(0))) return Value(i);
  machine.error("index: the value is not in the list");
}

inline constexpr Method dict_methods[] = {
    {"copy", {}, [](Machine&, const Value& self, const Given&) { return self; }},
    {"fromkeys", takes({"", ""}, 1), dict_from_keys},
    {"get", takes({"", ""}, 1), dict_get},
    {"items",
     {},
     [](Machine& m, const Value& d, const Given&) { return dict_view(m, *d.dict(), Sequence::Kind::items); }},
    {"keys",
     {},
     [](Machine& m, const Value& d, const Given&) { return dict_view(m, *d.dict(), Sequence::Kind::keys); }},
    {"values",
     {},
     [](Machine& m, const Value& d, const Given&) { return dict_view(m, *d.dict(), Sequence::Kind::values); }},
};
inline constexpr Method list_methods[] = {
    {"copy", {}, [](Machine&, const Value& self, const Given&) { return self; }},
    {"count", takes({""}, 1), list_count},
    {"index", takes({"", "", ""}, 1), list_index},
};
inline constexpr std::string_view mutating_list_methods[] = {"append", "extend",  "insert", "pop",
                                                             "remove", "reverse", "sort",   "clear"};
inline constexpr std::string_view mutating_dict_methods[] = {"pop", "clear", "setdefault", "popitem", "update"};
inline constexpr std::string_view refused_string_methods[] = {"encode", "translate", "maketrans", "format",
                                                              "format_map"};

// The table of a value's methods but a string's, which are in a table of their own.
inline std::span<const Method> methods_of(const Value& value) {
  const Sequence* list = value.sequence();
  if (value.dict()) return dict_methods;
  if (list && list->is_indexed()) return std::span(list_methods).subspan(list->kind == Sequence::Kind::list ? 0 : 1);
  return {};
}

inline Value call_loop_method(Machine& machine, Loop& loop, std::string_view method, const Arguments& arguments) {
  if (!arguments.named.empty()) machine.error("loop.{} takes no named arguments", method);
  if (method == "cycle") {
    if (arguments.positional.empty()) machine.error("loop.cycle needs an argument");
    return arguments.positional[loop.index % arguments.positional.size()];
  }
  const bool same = loop.last_changed && loop.last_changed->size() == arguments.positional.size() &&
                    std::equal(loop.last_changed->begin(), loop.last_changed->end(), arguments.positional.begin(),
                               [&](const Value& a, const Value& b) { return machine.same(a, b); });
  if (!same) loop.last_changed = arguments.positional;
  return Value(!same);
}

inline Value call_cycler_method(Namespace& cycler, std::string_view method) {
  if (method == "reset") return cycler.at = 0, Value(None{});
  return cycler.held[cycler.at++ % cycler.held.size()];
}

inline std::optional<Value> loop_attribute(const Loop& loop, std::string_view name) {
  const auto count = static_cast<std::int64_t>(loop.items.size()), at = static_cast<std::int64_t>(loop.index);
  if (name == "index") return Value(at + 1);
  if (name == "index0") return Value(at);
  if (name == "revindex") return Value(count - at);
  if (name == "revindex0") return Value(count - at - 1);
  if (name == "length") return Value(count);
  if (name == "first") return Value(at == 0);
  if (name == "last") return Value(at + 1 == count);
  if (name == "depth") return Value(std::int64_t{loop.depth});
  if (name == "depth0") return Value(std::int64_t{loop.depth} - 1);
  if (name == "previtem") return at > 0 ? loop.items[loop.index - 1] : Value::undefined("there is no previous item");
  if (name == "nextitem")
    return at + 1 < count ? loop.items[loop.index + 1] : Value::undefined("there is no next item");
  return std::nullopt;
}

inline std::optional<Value> sequence_attribute(const Sequence& list, std::string_view name) {
  if (list.kind == Sequence::Kind::group && name == "grouper") return list.items[0];
  if (list.kind == Sequence::Kind::group && name == "list") return list.items[1];
  static constexpr std::string_view bounds[] = {"start", "stop", "step"};
  for (std::size_t i = 0; i < 3; ++i)
    if (list.kind == Sequence::Kind::range && name == bounds[i]) return Value(list.bounds[i]);
  return std::nullopt;
}

// What Python's getattr finds: a method, a field of a namespace, or what a loop knows.
inline std::optional<Value> find_attribute(const Value& object, std::string_view name) {
  const auto method = [&] {
    return Value(std::make_shared<const Callable>(Callable{std::string(name), object, nullptr, {}}));
  };
  const auto changes = [&] {
    return Value::undefined(
        fmt::format("'{}' of a {} would change it, and values are read-only", name, type_name(object)));
  };
  if (object.text() && (find_entry<StringMethod>(string_methods, name) || is_one_of(refused_string_methods, name)))
    return method();
  if (find_entry(methods_of(object), name)) return method();
  if (object.dict() && is_one_of(mutating_dict_methods, name)) return changes();
  if (const Sequence* list = object.sequence()) {
    if (list->kind == Sequence::Kind::list && is_one_of(mutating_list_methods, name)) return changes();
    return sequence_attribute(*list, name);
  }
  // dict.fromkeys: of the function that makes dicts.
  if (const Callable* function = object.callable(); function && function->name == "dict" && name == "fromkeys")
    return Value(std::make_shared<const Callable>(
        Callable{"fromkeys", Value(std::make_shared<const Dict>(Dict{})), nullptr, {}}));
  if (const Loop* loop = object.loop())
    return name == "cycle" || name == "changed" ? method() : loop_attribute(*loop, name);
  if (const Namespace* space = object.name_space()) {
    if (space->kind == Namespace::Kind::cycler && name == "current") return space->held[space->at % space->held.size()];
    if (space->kind == Namespace::Kind::cycler && (name == "next" || name == "reset")) return method();
    for (const auto& [known, value] : space->fields)
      if (known == name) return value;
  }
  return std::nullopt;
}

// object.name: an attribute before an item; object[key]: an item before an attribute.
inline Value get_attribute(Machine& machine, const Value& object, std::string_view name) {
  if (object.is_undefined()) undefined_error(machine, object);
  if (object.name_space()) machine.charge(object.name_space()->fields.size() * 2);
  if (auto found = find_attribute(object, name)) {
    if (found->callable()) machine.charge(sizeof(Callable));
    return *found;
  }
  return item(machine, object, Value(std::string(name)));
}
inline Value get_item(Machine& machine, const Value& object, const Value& key) {
  Value found = item(machine, object, key);
  if (!found.is_undefined() || !key.text()) return found;
  if (auto attribute = find_attribute(object, key.text()->bytes())) return *attribute;
  return found;
}

inline Value call_method(Machine& machine, const Value& self, std::string_view name, const Arguments& arguments) {
  if (const Text* text = self.text(); text && (name == "format" || name == "format_map"))
    return BraceFormat(machine, arguments, name, {get_attribute, get_item}).apply(*text);
  if (const Text* text = self.text()) return call_string_method(machine, *text, name, arguments);
  if (Loop* loop = self.loop()) return call_loop_method(machine, *loop, name, arguments);
  if (Namespace* cycler = self.name_space()) return call_cycler_method(*cycler, name);
  const Method* method = find_entry(methods_of(self), name);
  if (!method) machine.error("a {} has no method '{}'", type_name(self), name);
  return method->call(machine, self, Given(machine, name, method->signature, arguments));
}

}  // namespace temper::templates
