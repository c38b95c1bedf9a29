// SPDX-License-Identifier: MIT
// What a call gives, and how it meets what a filter, a test or a method takes. As in Python, an argument that nobody
// asked for, one given twice, or a missing one is an error.
#pragma once
#include "temper/data/template/machine.hpp"

#include <array>
#include <span>

namespace temper::templates {

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// What a function takes: the names of its parameters (empty for one that can be given by position only), and how many
// of them must be given.
struct Signature {
  std::array<std::string_view, 5> names{};
  std::size_t count = 0, required = 0;
};

constexpr Signature takes(std::initializer_list<std::string_view> names, std::size_t required = 0) {
  Signature signature;
  for (const std::string_view name : names) signature.names[signature.count++] = name;
  signature.required = required;
  return signature;
}

// The value given for each parameter; null where there is none.
class Given {
 public:
  Given(const Machine& machine, std::string_view function, const Signature& signature, const Arguments& arguments)
      : machine_(machine), function_(function) {
    if (arguments.positional.size() > signature.count)
      machine.error("{} takes at most {} arguments, {} were given", function, signature.count,
                    arguments.positional.size());
    for (std::size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
    for (const auto& [name, value] : arguments.named) {
      std::size_t at = 0;
      while (at < signature.count && (name.empty() || signature.names[at] != name)) ++at;
      if (at == signature.count) machine.error("{} has no argument '{}'", function, name);
      if (values_[at]) machine.error("{} was given the argument '{}' twice", function, name);
      values_[at] = &value;
    }
    for (std::size_t i = 0; i < signature.required; ++i)
      if (!values_[i])
        machine.error("{} needs {}", function,
                      signature.names[i].empty() ? std::string("an argument")
                                                 : fmt::format("an argument '{}'", signature.names[i]));
  }

  const Value* operator[](std::size_t at) const { return values_[at]; }
  const Value& at(std::size_t index) const { return *values_[index]; }
  std::string_view function() const { return function_; }

  bool flag(std::size_t at) const { return values_[at] && truth(*values_[at]); }

  std::int64_t integer(std::size_t at, std::int64_t otherwise) const {
    if (!values_[at]) return otherwise;
    const auto number = as_integer(*values_[at]);
    if (!number) machine_.error("{}: expected an integer, found {}", function_, type_name(*values_[at]));
    return *number;
  }

  const Text& text(std::size_t at) const {
    const Text* text = values_[at]->text();
    if (!text) machine_.error("{}: expected a string, found {}", function_, type_name(*values_[at]));
    return *text;
  }

  // Null where nothing or None was given.
  const Text* text_or_none(std::size_t at) const {
    return !values_[at] || values_[at]->is_none() ? nullptr : &text(at);
  }

 private:
  const Machine& machine_;
  std::string_view function_;
  std::array<const Value*, 5> values_{};
};

// The entry of a table of functions with a field 'name'; null if there is none.
template <class Entry>
constexpr const Entry* find_entry(std::span<const Entry> table, std::string_view name) {
  for (const Entry& entry : table)
    if (entry.name == name) return &entry;
  return nullptr;
}

}  // namespace temper::templates
