// SPDX-License-Identifier: MIT
// The functions that every template sees: range, dict, namespace, joiner, cycler, raise_exception, strftime_now.
#pragma once
#include "temper/data/template/filters.hpp"
#include "temper/data/template/strftime.hpp"

namespace temper::templates {

inline constexpr std::string_view global_functions[] = {
    "range", "dict", "namespace", "joiner", "cycler", "raise_exception", "strftime_now", "lipsum"};

inline Value make_range(Machine& machine, const Arguments& arguments) {
  const Given given(machine, "range", takes({"", "", ""}, 1), arguments);
  const bool bounded = given[1] != nullptr;
  const std::int64_t start = bounded ? given.integer(0, 0) : 0, stop = given.integer(bounded ? 1 : 0, 0);
  const std::int64_t step = given.integer(2, 1);
  if (step == 0) machine.error("range: the step is zero");
  Sequence made;
  made.kind = Sequence::Kind::range;
  made.bounds = {start, stop, step};
  for (std::int64_t at = start; step > 0 ? at < stop : at > stop;) {
    made.items.emplace_back(at);
    if (made.items.size() > 100'000) fail_at(machine.at, "chat_template.limit", "range: more than 100000 numbers");
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return machine.sequence(std::move(made));
}

// The entries of dict(...) and namespace(...): of a dict or of a list of pairs, then the named arguments.
inline std::vector<std::pair<Value, Value>> given_entries(Machine& machine, std::string_view function,
                                                          const Arguments& arguments) {
  std::vector<std::pair<Value, Value>> entries;
  if (arguments.positional.size() > 1) machine.error("{} takes at most one positional argument", function);
  for (const Value& source : arguments.positional) {
    if (source.dict()) {
      for (const auto& [key, value] : source.dict()->entries) put(machine, entries, key, value);
      continue;
    }
    for (const Value& pair : items_of(machine, source)) {
      const std::vector<Value> parts = items_of(machine, pair);
      if (parts.size() != 2) machine.error("{}: expected pairs, found {} values", function, parts.size());
      put(machine, entries, parts[0], parts[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) put(machine, entries, Value(name), value);
  return entries;
}

inline void require_public(const Machine& machine, std::string_view name) {
  if (name.starts_with('_')) machine.error("a namespace cannot hold '{}': names begin with a letter", name);
}

inline Value make_remembering(Machine& machine, Namespace made) {
  machine.charge(512);
  machine.namespaces.push_back(std::make_shared<Namespace>(std::move(made)));
  return Value(machine.namespaces.back());
}

inline Value make_namespace(Machine& machine, const Arguments& arguments) {
  Namespace made;
  for (auto& [key, value] : given_entries(machine, "namespace", arguments)) {
    if (!key.text()) machine.error("namespace: expected strings as keys, found {}", type_name(key));
    require_public(machine, key.text()->bytes());
    made.fields.emplace_back(key.text()->bytes(), std::move(value));
  }
  return make_remembering(machine, std::move(made));
}

inline Value make_joiner(Machine& machine, const Arguments& arguments) {
  const Given given(machine, "joiner", takes({"sep"}), arguments);
  Namespace made;
  made.kind = Namespace::Kind::joiner;
  made.held.push_back(given[0] ? *given[0] : Value(std::string(", ")));
  return make_remembering(machine, std::move(made));
}

inline Value make_cycler(Machine& machine, const Arguments& arguments) {
  if (arguments.positional.empty() || !arguments.named.empty()) machine.error("cycler needs what to cycle through");
  Namespace made;
  made.kind = Namespace::Kind::cycler;
  made.held = arguments.positional;
  return make_remembering(machine, std::move(made));
}

inline Value call_global(Machine& machine, std::string_view name, const Arguments& arguments) {
  if (name == "range") return make_range(machine, arguments);
  if (name == "dict") return machine.dict(given_entries(machine, name, arguments));
  if (name == "namespace") return make_namespace(machine, arguments);
  if (name == "joiner") return make_joiner(machine, arguments);
  if (name == "cycler") return make_cycler(machine, arguments);
  if (name == "raise_exception") {
    const Given given(machine, name, takes({"message"}, 1), arguments);
    fail_at(machine.at, "chat_template.raised", "the template raised: {}", to_text(machine, given.at(0)).bytes());
  }
  if (name == "strftime_now") {
    const Given given(machine, name, takes({"format"}, 1), arguments);
    return machine.text(Text(format_date(machine, given.text(0).bytes())));
  }
  machine.error("the function '{}' is not supported", name);
}

}  // namespace temper::templates
