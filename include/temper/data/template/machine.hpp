// SPDX-License-Identifier: MIT
// What every part of a rendering shares: the budget, the place being rendered (for messages), and the making of values,
// which is where their size is bounded.
#pragma once
#include "temper/data/template/limits.hpp"
#include "temper/data/template/value.hpp"

#include <algorithm>

namespace temper::templates {

// A point in time that strftime_now prints; it is given, never read from a clock here, so that rendering is repeatable.
struct Date {
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0;
};

struct Machine {
  Limits limits;
  std::optional<Date> date;
  Position at;
  std::int64_t work = 0;
  std::int64_t iterations = 0;
  std::vector<std::shared_ptr<Namespace>> namespaces;  // to break their cycles at the end

  template <class... Values>
  [[noreturn]] void error(fmt::format_string<Values...> sentence, Values&&... values) const {
    fail_at(at, "chat_template.value", sentence, std::forward<Values>(values)...);
  }

  // Bytes made or moved; each step of the rendering counts as some.
  void charge(std::size_t bytes) {
    constexpr std::int64_t step = 16;
    work += static_cast<std::int64_t>(std::min<std::size_t>(bytes, std::size_t{1} << 40)) + step;
    if (work > limits.work) fail_at(at, "chat_template.limit", "rendering takes more work than the cap allows");
  }
  // Before bytes or items are made, so that no allocation is larger than what rendering may cost.
  void reserve_room(std::int64_t count, std::size_t each) {
    if (count <= 0 || each == 0) return;
    const auto most = std::int64_t{1} << 40;
    charge(static_cast<std::size_t>(
        count > most / static_cast<std::int64_t>(each) ? most : count * static_cast<std::int64_t>(each)));
  }
  void count_iteration() {
    if (++iterations > limits.iterations)
      fail_at(at, "chat_template.limit", "more than {} loop iterations", limits.iterations);
  }

  Value text(Text text) {
    charge(sizeof(Text) + text.size() + text.runs().size() * sizeof(Run));
    return Value(std::move(text));
  }

  Value sequence(Sequence::Kind kind, std::vector<Value> items, int message = -1) {
    return sequence(Sequence{kind, std::move(items), message, {}, {}, false});
  }
  Value sequence(Sequence made) {
    charge(sizeof(Sequence) + made.items.size() * sizeof(Value));
    for (const Value& item : made.items) grow(made.size, item);
    if (!made.is_indexed()) square(made.size, made.items.size());
    seal(made.size);
    return Value(std::make_shared<const Sequence>(std::move(made)));
  }

  Value dict(std::vector<std::pair<Value, Value>> entries, int message = -1) {
    return Value(std::make_shared<const Dict>(sized(Dict{std::move(entries), message, {}, false})));
  }
  Value message(std::vector<std::pair<Value, Value>> entries, int number) {
    return Value(std::make_shared<const Dict>(sized(Dict{std::move(entries), number, {}, true})));
  }

  std::shared_ptr<Loop> loop(std::vector<Value> items) {
    auto made = std::make_shared<Loop>();
    made->items = std::move(items);
    charge(sizeof(Loop) + made->items.size() * sizeof(Value));
    for (const Value& item : made->items) grow(made->size, item);
    seal(made->size);
    return made;
  }

  bool same(const Value& a, const Value& b) {
    charge(static_cast<std::size_t>(std::min(size_of(a).comparison, size_of(b).comparison)));
    return equal(a, b);
  }

 private:
  Dict sized(Dict made) {
    charge(sizeof(Dict) + made.entries.size() * 2 * sizeof(Value));
    for (const auto& [key, value] : made.entries) grow(made.size, key), grow(made.size, value);
    square(made.size, made.entries.size());
    seal(made.size);
    return made;
  }
  void grow(Size& size, const Value& part) {
    if (part.is_new_text()) charge(sizeof(Text) + part.text()->size());
    const Size inner = size_of(part);
    size.depth = std::max(size.depth, inner.depth);
    size.weight += inner.weight;
    size.weight = std::min<std::int64_t>(size.weight, std::int64_t{1} << 60);
    size.comparison = std::min<std::int64_t>(size.comparison + inner.comparison, std::int64_t{1} << 60);
  }
  static void square(Size& size, std::size_t count) {
    const auto steps = static_cast<std::int64_t>(std::min<std::size_t>(count, std::size_t{1} << 29));
    size.comparison = std::min<std::int64_t>(size.comparison + 16 * steps * steps, std::int64_t{1} << 60);
  }
  void seal(Size& size) {
    if (++size.depth > limits.value_depth)
      fail_at(at, "chat_template.limit", "a value is nested deeper than {} levels", limits.value_depth);
    if (size.weight > limits.value_weight) fail_at(at, "chat_template.limit", "a value has too many parts");
  }
};

}  // namespace temper::templates
