// SPDX-License-Identifier: MIT
// Methods of strings, dicts and lists. Those that would change a value in place (append, pop, update, ...) are refused,
// as the sandbox of transformers refuses them.
#pragma once
#include "temper/data/template/strings.hpp"

namespace temper::templates {

inline constexpr std::string_view string_methods[] = {
    "strip",   "lstrip",  "rstrip",  "split",     "rsplit",       "splitlines",  "startswith", "endswith",
    "upper",   "lower",   "title",   "replace",   "capitalize",   "find",        "rfind",      "index",
    "count",   "join",    "isdigit", "isdecimal", "isnumeric",    "isalpha",     "isalnum",    "isspace",
    "isupper", "islower", "zfill",   "partition", "removeprefix", "removesuffix"};
inline constexpr std::string_view dict_methods[] = {"items", "keys", "values", "get", "copy"};
inline constexpr std::string_view list_methods[] = {"index", "count", "copy"};
inline constexpr std::string_view refused_list_methods[] = {"append", "extend",  "insert", "pop",
                                                            "remove", "reverse", "sort",   "clear"};
inline constexpr std::string_view refused_dict_methods[] = {"pop", "clear", "setdefault", "popitem", "update"};
inline constexpr std::string_view loop_methods[] = {"cycle", "changed"};

template <std::size_t Count>
bool is_one_of(const std::string_view (&names)[Count], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

inline bool has_method(const Value& value, std::string_view name) {
  if (value.text()) return is_one_of(string_methods, name);
  if (value.dict()) return is_one_of(dict_methods, name) || is_one_of(refused_dict_methods, name);
  const Sequence* list = value.sequence();
  if (list && list->kind <= Sequence::Kind::tuple)
    return is_one_of(list_methods, name) ||
           (list->kind == Sequence::Kind::list && is_one_of(refused_list_methods, name));
  return value.loop() && is_one_of(loop_methods, name);
}

inline const Text& required_text(const Machine& machine, const Arguments& arguments, std::size_t position,
                                 std::string_view method) {
  const Text* text = position < arguments.positional.size() ? arguments.positional[position].text() : nullptr;
  if (!text) machine.error("{}: argument {} must be a string", method, position + 1);
  return *text;
}

inline const Text* optional_text(const Machine& machine, const Value* given, std::string_view method) {
  if (!given || given->is_none()) return nullptr;
  if (!given->text()) machine.error("{}: expected a string, found {}", method, type_name(*given));
  return given->text();
}

inline std::int64_t optional_integer(const Machine& machine, const Value* given, std::int64_t otherwise,
                                     std::string_view method) {
  if (!given) return otherwise;
  const auto number = as_integer(*given);
  if (!number) machine.error("{}: expected an integer, found {}", method, type_name(*given));
  return *number;
}

// startswith and endswith take a string or a tuple of them.
inline Value has_affix(const Machine& machine, const Text& text, const Arguments& arguments, std::string_view method) {
  arguments.check(machine, method, {"affix"});
  if (arguments.positional.empty()) machine.error("{} needs an argument", method);
  std::vector<Value> affixes = {arguments.positional[0]};
  if (const Sequence* tuple = affixes[0].sequence(); tuple && tuple->kind == Sequence::Kind::tuple)
    affixes = std::vector<Value>(tuple->items);
  for (const Value& affix : affixes) {
    if (!affix.text()) machine.error("{}: expected a string, found {}", method, type_name(affix));
    const std::string& part = affix.text()->bytes();
    if (method == "startswith" ? text.bytes().starts_with(part) : text.bytes().ends_with(part)) return Value(true);
  }
  return Value(false);
}

inline Value find_in_text(Machine& machine, const Text& text, const Arguments& arguments, std::string_view method) {
  arguments.check(machine, method, {"part"});
  const Text& part = required_text(machine, arguments, 0, method);
  charge_search(machine, text, part);
  const std::string& bytes = text.bytes();
  if (method == "count") {
    if (part.empty()) return Value(static_cast<std::int64_t>(count_code_points(bytes) + 1));
    std::int64_t count = 0;
    for (std::size_t at = 0; (at = bytes.find(part.bytes(), at)) != std::string::npos; at += part.size()) ++count;
    return Value(count);
  }
  const std::size_t found = method == "rfind" ? bytes.rfind(part.bytes()) : bytes.find(part.bytes());
  if (found == std::string::npos && method == "index") machine.error("index: substring not found");
  if (found == std::string::npos) return Value(std::int64_t{-1});
  return Value(static_cast<std::int64_t>(count_code_points(std::string_view(bytes).substr(0, found))));
}

inline Value text_predicate(const Text& text, std::string_view method) {
  if (method == "isspace") return Value(all_characters(text, is_space));
  if (method == "isalpha") return Value(all_characters(text, is_letter));
  if (method == "isalnum")
    return Value(all_characters(text, [](std::uint32_t c) { return is_letter(c) || is_decimal(c); }));
  if (method == "isupper") return Value(cased(text, LetterCase::upper));
  if (method == "islower") return Value(cased(text, LetterCase::lower));
  return Value(all_characters(text, is_decimal));
}

inline Value partition(Machine& machine, const Text& text, const Text& separator) {
  if (separator.empty()) machine.error("partition: the separator is empty");
  charge_search(machine, text, separator);
  const std::size_t found = text.bytes().find(separator.bytes());
  if (found == std::string::npos)
    return machine.sequence(Sequence::Kind::tuple, {Value(text), Value(Text()), Value(Text())});
  return machine.sequence(Sequence::Kind::tuple, {Value(text.slice(0, found)), Value(separator),
                                                  Value(text.slice(found + separator.size(), text.size()))});
}

inline Value call_text_method(Machine& machine, const Text& text, std::string_view method, const Arguments& arguments) {
  machine.charge(text.size());
  const auto list = [&](std::vector<Value> items) { return machine.sequence(Sequence::Kind::list, std::move(items)); };
  if (method == "strip" || method == "lstrip" || method == "rstrip") {
    arguments.check(machine, method, {"chars"});
    const Text* characters = optional_text(machine, arguments.find(0, "chars"), method);
    if (characters) machine.charge(text.size() / 16 * characters->size());
    return machine.text(strip(text,
                              method == "strip"    ? Side::both
                              : method == "lstrip" ? Side::left
                                                   : Side::right,
                              characters));
  }
  if (method == "split" || method == "rsplit") {
    arguments.check(machine, method, {"sep", "maxsplit"});
    const Text* separator = optional_text(machine, arguments.find(0, "sep"), method);
    const std::int64_t limit = optional_integer(machine, arguments.find(1, "maxsplit"), -1, method);
    if (method == "rsplit" && separator) return list(split_from_right(machine, text, *separator, limit));
    if (method == "rsplit" && limit >= 0) machine.error("rsplit: a limit needs a separator");
    return list(split(machine, text, separator, limit));
  }
  if (method == "startswith" || method == "endswith") return has_affix(machine, text, arguments, method);
  if (method == "find" || method == "rfind" || method == "index" || method == "count")
    return find_in_text(machine, text, arguments, method);
  if (method == "replace") {
    arguments.check(machine, method, {"old", "new", "count"});
    const Text& from = required_text(machine, arguments, 0, method);
    const Text& to = required_text(machine, arguments, 1, method);
    const std::int64_t limit = optional_integer(machine, arguments.find(2, "count"), -1, method);
    return machine.text(replace(machine, text, from, to, limit));
  }
  if (method == "join") {
    arguments.check(machine, method, {"items"});
    if (arguments.positional.empty()) machine.error("join needs an argument");
    const std::vector<Value> items = items_of(machine, arguments.positional[0]);
    for (const Value& item : items)
      if (!item.text()) machine.error("join: expected strings, found {}", type_name(item));
    return join(machine, text, items);
  }
  if (method == "removeprefix" || method == "removesuffix") {
    arguments.check(machine, method, {"affix"});
    const Text& affix = required_text(machine, arguments, 0, method);
    if (method == "removeprefix" && text.bytes().starts_with(affix.bytes()))
      return machine.text(text.slice(affix.size(), text.size()));
    if (method == "removesuffix" && text.bytes().ends_with(affix.bytes()))
      return machine.text(text.slice(0, text.size() - affix.size()));
    return Value(text);
  }
  if (method == "partition") return partition(machine, text, required_text(machine, arguments, 0, method));
  if (method == "zfill") {
    const std::int64_t width = optional_integer(machine, arguments.find(0, "width"), 0, method);
    const auto length = static_cast<std::int64_t>(count_code_points(text.bytes()));
    const std::size_t sign = text.bytes().starts_with("-") || text.bytes().starts_with("+") ? 1 : 0;
    Text padded = text.slice(0, sign);
    padded.append(std::string(static_cast<std::size_t>(std::clamp<std::int64_t>(width - length, 0, 4096)), '0'));
    padded.append(text, sign, text.size());
    return Value(std::move(padded));
  }
  arguments.check(machine, method, {});
  if (method == "splitlines") return list(split_lines(machine, text));
  if (method == "upper") return Value(in_case(text, LetterCase::upper));
  if (method == "lower") return Value(in_case(text, LetterCase::lower));
  if (method == "title") return Value(in_case(text, LetterCase::title));
  if (method == "capitalize") return Value(in_case(text, LetterCase::capitalize));
  return text_predicate(text, method);
}

inline std::vector<Value> dict_items(Machine& machine, const Dict& dict) {
  std::vector<Value> items;
  for (const auto& [key, value] : dict.entries)
    items.push_back(machine.sequence(Sequence::Kind::tuple, {key, value}, dict.message));
  return items;
}

inline Value call_dict_method(Machine& machine, const Value& self, std::string_view method,
                              const Arguments& arguments) {
  const Dict& dict = *self.dict();
  if (method == "get") {
    arguments.check(machine, method, {"key", "default"});
    if (arguments.positional.empty()) machine.error("get needs a key");
    machine.charge(dict.entries.size() / 4);
    if (const Value* found = find(dict, arguments.positional[0])) return *found;
    return arguments.positional.size() > 1 ? arguments.positional[1] : Value(None{});
  }
  arguments.check(machine, method, {});
  if (method == "copy") return self;
  std::vector<Value> items;
  if (method == "items") items = dict_items(machine, dict);
  if (method == "keys" || method == "values")
    for (const auto& [key, value] : dict.entries) items.push_back(method == "keys" ? key : value);
  return machine.sequence(Sequence::Kind::view, std::move(items), dict.message);
}

inline Value call_list_method(Machine& machine, const Value& self, std::string_view method,
                              const Arguments& arguments) {
  if (method == "copy") return self;
  arguments.check(machine, method, {"value"});
  if (arguments.positional.empty()) machine.error("{} needs an argument", method);
  std::int64_t count = 0;
  const std::vector<Value>& items = self.sequence()->items;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!machine.same(items[i], arguments.positional[0])) continue;
    if (method == "index") return Value(static_cast<std::int64_t>(i));
    ++count;
  }
  if (method == "index") machine.error("index: value not in list");
  return Value(count);
}

inline Value call_loop_method(Machine& machine, Loop& loop, std::string_view method, const Arguments& arguments) {
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

inline Value call_method(Machine& machine, const Value& self, std::string_view method, const Arguments& arguments) {
  if ((self.sequence() && is_one_of(refused_list_methods, method)) ||
      (self.dict() && is_one_of(refused_dict_methods, method)))
    machine.error("'{}' of a {} would change it; values are read-only", method, type_name(self));
  if (const Text* text = self.text()) return call_text_method(machine, *text, method, arguments);
  if (self.dict()) return call_dict_method(machine, self, method, arguments);
  if (Loop* loop = self.loop()) return call_loop_method(machine, *loop, method, arguments);
  return call_list_method(machine, self, method, arguments);
}

}  // namespace temper::templates
