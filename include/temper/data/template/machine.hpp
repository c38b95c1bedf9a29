// SPDX-License-Identifier: MIT
// What every part of a rendering shares: the budget, the line being rendered (for messages), and the making of values,
// which is where their size is bounded.
#pragma once
#include "temper/data/template/limits.hpp"
#include "temper/data/template/value.hpp"

#include <algorithm>
#include <initializer_list>
#include <span>

namespace temper::templates {

// A point in time that strftime_now prints; it is given, never read from a clock here, so that rendering is repeatable.
struct Date {
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0;
};

struct Machine {
  Limits limits;
  std::optional<Date> date;
  int line = 1;
  std::int64_t work = 0;
  std::int64_t iterations = 0;
  std::vector<std::shared_ptr<Namespace>> namespaces;  // to break their cycles at the end

  template <class... Values>
  [[noreturn]] void error(fmt::format_string<Values...> sentence, Values&&... values) const {
    fail_at(line, "chat_template.value", sentence, std::forward<Values>(values)...);
  }

  void charge(std::size_t amount) {
    work += static_cast<std::int64_t>(std::min<std::size_t>(amount, std::size_t{1} << 40)) + 1;
    if (work > limits.work) fail_at(line, "chat_template.limit", "rendering takes more work than the cap allows");
  }
  void count_iteration() {
    if (++iterations > limits.iterations)
      fail_at(line, "chat_template.limit", "more than {} loop iterations", limits.iterations);
  }

  Value text(Text text) {
    charge(text.size());
    return Value(std::move(text));
  }

  Value sequence(Sequence::Kind kind, std::vector<Value> items, int message = -1) {
    Sequence made{kind, std::move(items), message, {}, false};
    for (const Value& item : made.items) grow(made.size, item);
    seal(made.size);
    return Value(std::make_shared<const Sequence>(std::move(made)));
  }

  Value dict(std::vector<std::pair<Value, Value>> entries, int message = -1) {
    Dict made{std::move(entries), message, {}};
    for (const auto& [key, value] : made.entries) grow(made.size, key), grow(made.size, value);
    seal(made.size);
    return Value(std::make_shared<const Dict>(std::move(made)));
  }

  std::shared_ptr<Loop> loop(std::vector<Value> items) {
    auto made = std::make_shared<Loop>();
    made->items = std::move(items);
    for (const Value& item : made->items) grow(made->size, item);
    seal(made->size);
    return made;
  }

  bool same(const Value& a, const Value& b) {
    charge(static_cast<std::size_t>(std::min(size_of(a).weight, size_of(b).weight)));
    return equal(a, b);
  }

 private:
  static void grow(Size& size, const Value& part) {
    const Size inner = size_of(part);
    size.depth = std::max(size.depth, inner.depth);
    size.weight += inner.weight;
    size.weight = std::min<std::int64_t>(size.weight, std::int64_t{1} << 60);
  }
  void seal(Size& size) {
    charge(static_cast<std::size_t>(1 + size.weight / 16));
    if (++size.depth > limits.value_depth)
      fail_at(line, "chat_template.limit", "a value is nested deeper than {} levels", limits.value_depth);
    if (size.weight > limits.value_weight) fail_at(line, "chat_template.limit", "a value has too many parts");
  }
};

// The arguments of a filter, a test, a method or a function. What nobody asked for is an error, as in Python.
class Arguments {
 public:
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  // The argument at a position or of a name; null if it was not given.
  const Value* find(std::size_t position, std::string_view name) const {
    if (position < positional.size()) return &positional[position];
    for (const auto& [given, value] : named)
      if (given == name) return &value;
    return nullptr;
  }

  void check(const Machine& machine, std::string_view what, std::initializer_list<std::string_view> names) const {
    if (positional.size() > names.size())
      machine.error("{} takes at most {} arguments, {} were given", what, names.size(), positional.size());
    for (const auto& [given, value] : named)
      if (std::find(names.begin(), names.end(), given) == names.end())
        machine.error("{} has no argument '{}'", what, given);
  }
};

}  // namespace temper::templates
