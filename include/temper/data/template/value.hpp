// SPDX-License-Identifier: MIT
// Values of the chat template engine: Python's, as far as templates can see them. All are immutable but namespaces, as
// in the sandbox that transformers renders in. 'Undefined' differs from None; a sequence knows what Python would have
// made, a list, a tuple, a generator, ..., since truth, length and printing differ.
#pragma once
#include "temper/data/template/text.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace temper::templates {

struct Sequence;
struct Dict;
struct Namespace;
struct Loop;
struct Callable;

struct Undefined {
  std::shared_ptr<const std::string> why;  // "'x' is undefined"
};
struct None {};

class Value {
 public:
  using Form = std::variant<Undefined, None, bool, std::int64_t, double, std::shared_ptr<const Text>,
                            std::shared_ptr<const Sequence>, std::shared_ptr<const Dict>, std::shared_ptr<Namespace>,
                            std::shared_ptr<Loop>, std::shared_ptr<const Callable>>;

  Value() = default;
  template <class Alternative>
  explicit Value(Alternative alternative) : form_(std::move(alternative)) {}
  explicit Value(Text text) : form_(std::make_shared<const Text>(std::move(text))) {}
  explicit Value(std::string text) : Value(Text(std::move(text))) {}
  static Value undefined(std::string why) {
    return Value(Undefined{std::make_shared<const std::string>(std::move(why))});
  }

  template <class Alternative>
  bool is() const {
    return std::holds_alternative<Alternative>(form_);
  }
  template <class Alternative>
  const Alternative* get() const {
    return std::get_if<Alternative>(&form_);
  }
  bool is_undefined() const { return is<Undefined>(); }
  bool is_none() const { return is<None>(); }
  const Text* text() const { return pointee<const Text>(); }
  const Sequence* sequence() const { return pointee<const Sequence>(); }
  const Dict* dict() const { return pointee<const Dict>(); }
  const Callable* callable() const { return pointee<const Callable>(); }
  Namespace* name_space() const { return pointee<Namespace>(); }
  Loop* loop() const { return pointee<Loop>(); }
  const Form& form() const { return form_; }
  // A text that no other value shares.
  bool is_new_text() const {
    const auto* held = std::get_if<std::shared_ptr<const Text>>(&form_);
    return held && held->use_count() == 1;
  }

 private:
  template <class T>
  T* pointee() const {
    const auto* held = std::get_if<std::shared_ptr<T>>(&form_);
    return held ? held->get() : nullptr;
  }

  Form form_ = Undefined{};
};

// What walking a value costs. Both are capped when a container is made, so that no value overflows a stack or takes
// exponential time although its parts may be shared.
struct Size {
  int depth = 0;
  std::int64_t weight = 1;      // parts, with every 64 bytes of a text as one
  std::int64_t comparison = 1;  // steps to compare it: dicts look for each key
};

struct Sequence {
  enum class Kind : std::uint8_t { list, tuple, group, range, keys, values, items, generator };
  Kind kind = Kind::list;
  std::vector<Value> items;
  int message = -1;  // the message that this value is part of
  Size size;
  std::array<std::int64_t, 3> bounds{};  // of a range: start, stop, step
  mutable bool consumed = false;         // a generator yields once

  bool is_tuple() const { return kind == Kind::tuple || kind == Kind::group; }  // a group is what groupby makes
  bool is_list_or_tuple() const { return kind <= Kind::group; }
  bool is_indexed() const { return kind <= Kind::range; }
};

struct Dict {
  std::vector<std::pair<Value, Value>> entries;  // in insertion order
  int message = -1;
  Size size;
  bool whole_message = false;  // not a part of one
};

// The two objects of Jinja that remember: joiner() and cycler() keep what they hold and where they stand as fields.
struct Namespace {
  enum class Kind : std::uint8_t { space, joiner, cycler };
  Kind kind = Kind::space;
  std::vector<std::pair<std::string, Value>> fields;
  std::vector<Value> held;
  std::size_t at = 0;
};

struct Frame;
struct MacroStatement;
struct ForStatement;

struct Loop {
  std::vector<Value> items;
  std::size_t index = 0;
  Size size;
  std::optional<std::vector<Value>> last_changed;
  int depth = 1;                            // 1 but in loops that call themselves
  const ForStatement* statement = nullptr;  // of a loop that may call itself, with the scope around it
  std::shared_ptr<Frame> scope;
};

// A global function, a method bound to its value, or a macro with the scope that it was defined in.
struct Callable {
  std::string name;
  Value self;
  const MacroStatement* macro = nullptr;
  std::shared_ptr<Frame> scope;
};

// The type's name as Python's error messages have it.
inline std::string_view type_name(const Value& value) {
  static constexpr std::string_view names[] = {"Undefined", "NoneType", "bool",      "int",  "float",   "str",
                                               "list",      "dict",     "namespace", "loop", "function"};
  static constexpr std::string_view sequences[] = {"list",      "tuple",       "tuple",      "range",
                                                   "dict_keys", "dict_values", "dict_items", "generator"};
  if (const Sequence* s = value.sequence()) return sequences[static_cast<std::size_t>(s->kind)];
  return names[value.form().index()];
}

inline Size size_of(const Value& value) {
  if (const Sequence* s = value.sequence()) return s->size;
  if (const Dict* d = value.dict()) return d->size;
  if (const Loop* l = value.loop()) return l->size;
  if (const Text* t = value.text())
    return {0, 1 + static_cast<std::int64_t>(t->size() / 64), 1 + static_cast<std::int64_t>(t->size() / 64)};
  return {};
}

// The message that a value is part of: containers and strings know it, numbers do not.
inline int message_of(const Value& value) {
  if (const Sequence* s = value.sequence()) return s->message;
  if (const Dict* d = value.dict()) return d->message;
  return -1;
}

inline bool truth(const Value& value) {
  if (const bool* b = value.get<bool>()) return *b;
  if (const auto* i = value.get<std::int64_t>()) return *i != 0;
  if (const double* d = value.get<double>()) return *d != 0;
  if (const Text* t = value.text()) return !t->empty();
  if (const Sequence* s = value.sequence()) return s->kind == Sequence::Kind::generator || !s->items.empty();
  if (const Dict* d = value.dict()) return !d->entries.empty();
  return !value.is_undefined() && !value.is_none();
}

// Numbers as Python has them: bool is an int.
inline std::optional<std::int64_t> as_integer(const Value& value) {
  if (const bool* b = value.get<bool>()) return *b ? 1 : 0;
  if (const auto* i = value.get<std::int64_t>()) return *i;
  return std::nullopt;
}
inline std::optional<double> as_double(const Value& value) {
  if (const double* d = value.get<double>()) return *d;
  if (const auto i = as_integer(value)) return static_cast<double>(*i);
  return std::nullopt;
}

// -1, 0, 1, or 2 where there is no order (NaN). An integer and a float compare exactly, not after rounding.
inline std::optional<int> compare_numbers(const Value& a, const Value& b) {
  const auto sign = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2; };
  const auto i = as_integer(a), j = as_integer(b);
  if (i && j) return sign(*i, *j);
  const double *x = a.get<double>(), *y = b.get<double>();
  if (x && y) return sign(*x, *y);
  const auto against = [&](std::int64_t whole, double real) {
    if (real >= 9223372036854775808.0) return -1;
    if (real < -9223372036854775808.0) return 1;
    if (real != real) return 2;
    const auto floor = static_cast<std::int64_t>(real);
    if (whole != floor) return sign(whole, floor);
    return sign(0.0, real - static_cast<double>(floor));
  };
  if (i && y) return against(*i, *y);
  if (x && j) {
    const int other = against(*j, *x);
    return other == 2 ? 2 : -other;
  }
  return std::nullopt;
}

inline bool equal(const Value& a, const Value& b) {
  if (const auto order = compare_numbers(a, b)) return *order == 0;
  if (a.form().index() != b.form().index()) return false;
  if (a.is_undefined() || a.is_none()) return true;
  if (const Text* x = a.text()) return x->bytes() == b.text()->bytes();
  if (const Sequence* x = a.sequence()) {
    const Sequence* y = b.sequence();
    if (x == y) return true;
    const bool comparable = x->is_tuple() ? y->is_tuple() : x->kind == y->kind;
    if (!comparable || x->kind == Sequence::Kind::values || x->kind == Sequence::Kind::generator) return false;
    if (x->items.size() != y->items.size()) return false;
    if (x->kind == Sequence::Kind::keys || x->kind == Sequence::Kind::items)  // sets
      return std::all_of(x->items.begin(), x->items.end(), [&](const Value& item) {
        return std::any_of(y->items.begin(), y->items.end(), [&](const Value& other) { return equal(item, other); });
      });
    return std::equal(x->items.begin(), x->items.end(), y->items.begin(), equal);
  }
  if (const Dict* x = a.dict()) {
    const Dict* y = b.dict();
    if (x == y) return true;
    if (x->entries.size() != y->entries.size()) return false;
    for (const auto& [key, value] : x->entries) {
      const auto same_key = [&k = key](const auto& entry) { return equal(entry.first, k); };
      const auto found = std::find_if(y->entries.begin(), y->entries.end(), same_key);
      if (found == y->entries.end() || !equal(found->second, value)) return false;
    }
    return true;
  }
  if (const Namespace* x = a.name_space()) return x == b.name_space();
  if (const Loop* x = a.loop()) return x == b.loop();
  return a.callable() == b.callable();
}

inline const Value* find(const Dict& dict, std::string_view key) {
  for (const auto& [name, value] : dict.entries)
    if (const Text* text = name.text(); text && text->bytes() == key) return &value;
  return nullptr;
}
inline const Value* find(const Dict& dict, const Value& key) {
  for (const auto& [name, value] : dict.entries)
    if (equal(name, key)) return &value;
  return nullptr;
}

}  // namespace temper::templates
