// SPDX-License-Identifier: MIT
// Python's operators on template values: printing, iteration, arithmetic with floor division, ordering, slices.
#pragma once
#include "temper/data/template/machine.hpp"

#include <array>

namespace temper::templates {

inline void append_repr(Machine& machine, Text& out, const Value& value);

[[noreturn]] inline void undefined_error(const Machine& machine, const Value& value) {
  const auto& why = value.get<Undefined>()->why;
  machine.error("{}", why ? *why : std::string("a value is undefined"));
}

// str(value): what '{{ value }}' prints.
inline Text to_text(Machine& machine, const Value& value) {
  if (const Text* text = value.text()) {
    machine.charge(text->size());
    return *text;
  }
  if (value.is_undefined()) return {};
  Text out;
  append_repr(machine, out, value);
  return out;
}

// repr(str): single quotes unless there is one inside and no double one.
inline void append_quoted(Text& out, const Text& text) {
  const std::string& bytes = text.bytes();
  const bool single = bytes.find('\'') != std::string::npos && bytes.find('"') == std::string::npos;
  const char quote = single ? '"' : '\'';
  out.append(std::string(1, quote));
  for (std::size_t at = 0; at < bytes.size();) {
    const CodePoint c = code_point_at(bytes, at);
    const char byte = bytes[at];
    if (byte == quote || byte == '\\')
      out.append(std::string("\\") + byte, text.writer_at(at));
    else if (byte == '\n' || byte == '\r' || byte == '\t')
      out.append(byte == '\n' ? "\\n" : byte == '\r' ? "\\r" : "\\t", text.writer_at(at));
    else if (c.value < 0x20 || (c.value >= 0x7f && c.value <= 0xa0) || c.value == 0xad)
      out.append(fmt::format("\\x{:02x}", c.value), text.writer_at(at));
    else
      out.append(text, at, at + c.bytes);
    at += c.bytes;
  }
  out.append(std::string(1, quote));
}

inline void append_repr(Machine& machine, Text& out, const Value& value) {
  machine.charge(1);
  if (const bool* b = value.get<bool>()) return out.append(*b ? "True" : "False");
  if (const auto* i = value.get<std::int64_t>()) return out.append(std::to_string(*i));
  if (const double* d = value.get<double>()) return out.append(float_text(*d));
  if (value.is_none()) return out.append("None");
  if (value.is_undefined()) return out.append("Undefined");
  if (const Text* text = value.text()) {
    machine.charge(text->size());
    return append_quoted(out, *text);
  }
  if (const Sequence* s = value.sequence()) {
    if (s->kind == Sequence::Kind::generator) return out.append("<generator object>");
    const bool tuple = s->kind == Sequence::Kind::tuple;
    out.append(tuple ? "(" : "[");
    for (std::size_t i = 0; i < s->items.size(); ++i) {
      if (i > 0) out.append(", ");
      append_repr(machine, out, s->items[i]);
    }
    return out.append(!tuple ? "]" : s->items.size() == 1 ? ",)" : ")");
  }
  if (const Dict* dict = value.dict()) {
    out.append("{");
    for (std::size_t i = 0; i < dict->entries.size(); ++i) {
      if (i > 0) out.append(", ");
      append_repr(machine, out, dict->entries[i].first);
      out.append(": ");
      append_repr(machine, out, dict->entries[i].second);
    }
    return out.append("}");
  }
  machine.error("a {} cannot be printed", type_name(value));
}

// What a 'for' loop over the value visits.
inline std::vector<Value> items_of(Machine& machine, const Value& value) {
  if (const Sequence* s = value.sequence()) {
    if (s->consumed) return {};
    s->consumed = s->kind == Sequence::Kind::generator;
    machine.charge(s->items.size());
    return s->items;
  }
  std::vector<Value> items;
  if (value.is_undefined()) return items;
  if (const Dict* dict = value.dict()) {
    machine.charge(dict->entries.size());
    for (const auto& [key, held] : dict->entries) items.push_back(key);
    return items;
  }
  if (const Text* text = value.text()) {
    machine.charge(text->size() * 8);
    for (std::size_t at = 0; at < text->size();) {
      const std::size_t next = at + code_point_at(text->bytes(), at).bytes;
      items.emplace_back(text->slice(at, next));
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

inline bool contains(Machine& machine, const Value& container, const Value& item) {
  if (const Text* text = container.text()) {
    const Text* part = item.text();
    if (!part) machine.error("'in <string>' requires a string on its left, not {}", type_name(item));
    machine.charge(text->size() + text->size() / 64 * std::min(part->size(), text->size()));
    return text->bytes().find(part->bytes()) != std::string::npos;
  }
  if (const Dict* dict = container.dict()) {
    machine.charge(dict->entries.size());
    return find(*dict, item) != nullptr;
  }
  for (const Value& held : items_of(machine, container))
    if (machine.same(held, item)) return true;
  return false;
}

// -1, 0 or 1; strings by code point, which UTF-8 keeps as byte order.
inline int order(Machine& machine, std::string_view sign, const Value& a, const Value& b) {
  if (const auto x = as_integer(a), y = as_integer(b); x && y) return *x < *y ? -1 : *x > *y;
  if (const auto x = as_double(a), y = as_double(b); x && y) return *x < *y ? -1 : *x > *y ? 1 : *x == *y ? 0 : 2;
  const Text *text = a.text(), *other_text = b.text();
  if (text && other_text) {
    machine.charge(std::min(text->size(), other_text->size()));
    const int compared = text->bytes().compare(other_text->bytes());
    return compared < 0 ? -1 : compared > 0;
  }
  const Sequence *list = a.sequence(), *other = b.sequence();
  if (list && other && list->kind == other->kind) {
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

inline std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - ((a % b != 0) && ((a < 0) != (b < 0)));
}

inline Value repeat(Machine& machine, const Value& value, std::int64_t times) {
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(times, 0));
  const Text* text = value.text();
  const std::size_t size = text ? text->size() : value.sequence()->items.size() * 16;
  machine.charge(size == 0 ? 0 : count > (std::size_t{1} << 40) / size ? std::size_t{1} << 40 : count * size);
  if (text) {
    Text result;
    for (std::size_t i = 0; i < count && size > 0; ++i) result.append(*text);
    return Value(std::move(result));
  }
  std::vector<Value> items;
  for (std::size_t i = 0; i < count && size > 0; ++i)
    items.insert(items.end(), value.sequence()->items.begin(), value.sequence()->items.end());
  return machine.sequence(value.sequence()->kind, std::move(items));
}

inline Value integer_arithmetic(Machine& machine, char sign, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  if (sign == '+') overflow = __builtin_add_overflow(a, b, &result);
  if (sign == '-') overflow = __builtin_sub_overflow(a, b, &result);
  if (sign == '*') overflow = __builtin_mul_overflow(a, b, &result);
  if (sign == '|' || sign == '%') {  // '|' stands for '//'
    if (b == 0) machine.error("division by zero");
    overflow = b == -1 && a == INT64_MIN;
    if (!overflow) result = sign == '|' ? floor_divide(a, b) : a - floor_divide(a, b) * b;
  }
  if (overflow) machine.error("an integer does not fit in 64 bits");
  return Value(result);
}

inline Value power(Machine& machine, const Value& a, const Value& b) {
  const auto base = as_integer(a), exponent = as_integer(b);
  if (!base || !exponent || *exponent < 0) {
    if (*as_double(a) == 0 && *as_double(b) < 0) machine.error("division by zero");
    return Value(std::pow(*as_double(a), *as_double(b)));
  }
  std::int64_t result = 1;
  if (*base == 0 || *base == 1) return Value(*exponent == 0 ? std::int64_t{1} : *base);
  if (*base == -1) return Value(*exponent % 2 == 0 ? std::int64_t{1} : std::int64_t{-1});
  for (std::int64_t i = 0; i < *exponent; ++i)
    if (__builtin_mul_overflow(result, *base, &result)) machine.error("an integer does not fit in 64 bits");
  return Value(result);
}

inline Text escape_html(const Text& text) {
  if (text.is_markup()) return text;
  Text result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text.bytes()[at];
    const std::string_view entity = c == '&'    ? "&amp;"
                                    : c == '<'  ? "&lt;"
                                    : c == '>'  ? "&gt;"
                                    : c == '"'  ? "&#34;"
                                    : c == '\'' ? "&#39;"
                                                : std::string_view();
    if (entity.empty())
      result.append(text, at, at + 1);
    else
      result.append(entity, text.writer_at(at));
  }
  return result;
}

inline Value add_texts(Machine& machine, const Text& a, const Text& b) {
  machine.charge(a.size() + b.size());
  const bool markup = a.is_markup() || b.is_markup();
  Text joined = markup ? escape_html(a) : a;
  joined.append(markup ? escape_html(b) : b);
  return Value(markup ? joined.as_markup() : std::move(joined));
}

inline Value arithmetic(Machine& machine, std::string_view sign, const Value& a, const Value& b) {
  if (a.is_undefined()) undefined_error(machine, a);
  if (b.is_undefined()) undefined_error(machine, b);
  const auto x = as_double(a), y = as_double(b);
  if (x && y) {
    if (sign == "**") return power(machine, a, b);
    const auto i = as_integer(a), j = as_integer(b);
    if (i && j && sign != "/") return integer_arithmetic(machine, sign == "//" ? '|' : sign[0], *i, *j);
    if ((sign == "/" || sign == "//" || sign == "%") && *y == 0) machine.error("division by zero");
    if (sign == "+") return Value(*x + *y);
    if (sign == "-") return Value(*x - *y);
    if (sign == "*") return Value(*x * *y);
    if (sign == "/") return Value(*x / *y);
    if (sign == "//") return Value(std::floor(*x / *y));
    return Value(*x - std::floor(*x / *y) * *y);
  }
  if (sign == "+" && a.text() && b.text()) return add_texts(machine, *a.text(), *b.text());
  const Sequence *list = a.sequence(), *other = b.sequence();
  if (sign == "+" && list && other && list->kind == other->kind && list->kind <= Sequence::Kind::tuple) {
    std::vector<Value> items = list->items;
    items.insert(items.end(), other->items.begin(), other->items.end());
    return machine.sequence(list->kind, std::move(items));
  }
  if (sign == "*") {
    const auto repeatable = [](const Value& v) {
      return v.text() || (v.sequence() && v.sequence()->kind <= Sequence::Kind::tuple);
    };
    if (const auto times = as_integer(b); times && repeatable(a)) return repeat(machine, a, *times);
    if (const auto times = as_integer(a); times && repeatable(b)) return repeat(machine, b, *times);
  }
  machine.error("'{}' is not supported between '{}' and '{}'", sign, type_name(a), type_name(b));
}

// value[start:stop:step] with Python's clamping; none stands for what was left out.
inline Value slice(Machine& machine, const Value& value, std::array<std::optional<std::int64_t>, 3> bounds) {
  const Text* text = value.text();
  const Sequence* list = value.sequence();
  if (value.is_undefined()) undefined_error(machine, value);
  if (!text && !(list && list->kind <= Sequence::Kind::range)) machine.error("a {} cannot be sliced", type_name(value));
  const auto size = static_cast<std::int64_t>(text ? count_code_points(text->bytes()) : list->items.size());
  const std::int64_t step = bounds[2].value_or(1);
  if (step == 0) machine.error("a slice's step cannot be zero");
  const auto clamp = [&](std::int64_t at) {
    if (at < 0) at = at < -size ? -1 : at + size;
    return std::clamp(at, step > 0 ? std::int64_t{0} : std::int64_t{-1}, step > 0 ? size : size - 1);
  };
  const std::int64_t start = bounds[0] ? clamp(*bounds[0]) : step > 0 ? 0 : size - 1;
  const std::int64_t stop = bounds[1] ? clamp(*bounds[1]) : step > 0 ? size : -1;
  machine.charge(static_cast<std::size_t>(size));
  if (text && step == 1) {
    if (start >= stop) return Value(Text());
    const std::size_t begin = byte_of_code_point(text->bytes(), static_cast<std::size_t>(start));
    const std::string_view rest = std::string_view(text->bytes()).substr(begin);
    return machine.text(text->slice(begin, begin + byte_of_code_point(rest, static_cast<std::size_t>(stop - start))));
  }
  const std::vector<Value> whole = text ? items_of(machine, value) : list->items;
  std::vector<Value> part;
  for (std::int64_t at = start; step > 0 ? at < stop : at > stop;) {
    part.push_back(whole[static_cast<std::size_t>(at)]);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  if (!text) return machine.sequence(list->kind, std::move(part), list->message);
  Text joined;
  for (const Value& character : part) joined.append(*character.text());
  return machine.text(std::move(joined));
}

// value[key] where the key is no string that names a method; undefined where there is nothing.
inline Value item(Machine& machine, const Value& value, const Value& key) {
  if (value.is_undefined()) undefined_error(machine, value);
  if (const Dict* dict = value.dict()) {
    machine.charge(dict->entries.size() / 4);
    if (const Value* found = key.text() ? find(*dict, key.text()->bytes()) : find(*dict, key)) return *found;
  }
  const auto index = as_integer(key);
  const Sequence* list = value.sequence();
  if (const Text* text = value.text(); text && index) {
    machine.charge(text->size() / 16);
    const auto size = static_cast<std::int64_t>(count_code_points(text->bytes()));
    const std::int64_t at = *index < 0 ? *index + size : *index;
    if (at >= 0 && at < size) {
      const std::size_t begin = byte_of_code_point(text->bytes(), static_cast<std::size_t>(at));
      return Value(text->slice(begin, begin + code_point_at(text->bytes(), begin).bytes));
    }
  } else if (list && index && list->kind <= Sequence::Kind::range) {
    const auto size = static_cast<std::int64_t>(list->items.size());
    const std::int64_t at = *index < 0 ? *index + size : *index;
    if (at >= 0 && at < size) return list->items[static_cast<std::size_t>(at)];
  }
  if (const Text* name = key.text())
    return Value::undefined(fmt::format("'{}' object has no attribute '{}'", type_name(value), name->bytes()));
  Text shown;
  append_repr(machine, shown, key);
  return Value::undefined(fmt::format("{} object has no element {}", type_name(value), shown.bytes()));
}

}  // namespace temper::templates
