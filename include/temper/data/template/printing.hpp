// SPDX-License-Identifier: MIT
// str() and repr() of template values: what '{{ value }}' prints.
#pragma once
#include "temper/data/template/machine.hpp"
#include "temper/data/template/number_text.hpp"
#include "temper/data/template/unicode_class.hpp"

namespace temper::templates {

[[noreturn]] inline void undefined_error(const Machine& machine, const Value& value) {
  const auto& why = value.get<Undefined>()->why;
  machine.error("{}", why ? *why : std::string("a value is undefined"));
}

enum class Repr : std::uint8_t { unicode, ascii };  // what stays as it is

// repr(str): single quotes unless there is one inside and no double one.
inline void append_quoted(Text& out, const Text& text, Repr repr = Repr::unicode) {
  const std::string& bytes = text.bytes();
  const bool single = bytes.find('\'') != std::string::npos && bytes.find('"') == std::string::npos;
  const char quote = single ? '"' : '\'';
  if (text.is_markup()) out.append("Markup(");
  out.append(std::string(1, quote));
  for (std::size_t at = 0; at < bytes.size();) {
    const CodePoint c = code_point_at(bytes, at);
    const char byte = bytes[at];
    std::string escape;
    if (byte == quote || byte == '\\')
      escape = std::string("\\") + byte;
    else if (byte == '\n' || byte == '\r' || byte == '\t')
      escape = byte == '\n' ? "\\n" : byte == '\r' ? "\\r" : "\\t";
    else if (!is_printable(c.value) || (repr == Repr::ascii && c.value >= 0x80))
      escape = c.value < 0x100     ? fmt::format("\\x{:02x}", c.value)
               : c.value < 0x10000 ? fmt::format("\\u{:04x}", c.value)
                                   : fmt::format("\\U{:08x}", c.value);
    if (escape.empty())
      out.append(text, at, at + c.bytes);
    else
      out.append(escape, text.writer_at(at));
    at += c.bytes;
  }
  out.append(std::string(1, quote));
  if (text.is_markup()) out.append(")");
}

inline void append_repr(Machine& machine, Text& out, const Value& value, Repr repr = Repr::unicode);

inline void append_sequence(Machine& machine, Text& out, const Sequence& list, Repr repr) {
  using Kind = Sequence::Kind;
  if (list.kind == Kind::generator) machine.error("a generator cannot be printed; add '|list'");
  if (list.kind == Kind::range) {
    const auto [start, stop, step] = list.bounds;
    return out.append(step == 1 ? fmt::format("range({}, {})", start, stop)
                                : fmt::format("range({}, {}, {})", start, stop, step));
  }
  const bool view = list.kind >= Kind::keys;
  if (view)
    out.append(list.kind == Kind::keys ? "dict_keys(" : list.kind == Kind::values ? "dict_values(" : "dict_items(");
  out.append(list.is_tuple() ? "(" : "[");
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out.append(", ");
    append_repr(machine, out, list.items[i], repr);
  }
  out.append(!list.is_tuple() ? "]" : list.items.size() == 1 ? ",)" : ")");
  if (view) out.append(")");
}

inline void append_repr(Machine& machine, Text& out, const Value& value, Repr repr) {
  machine.charge(1);
  if (const bool* b = value.get<bool>()) return out.append(*b ? "True" : "False");
  if (const auto* i = value.get<std::int64_t>()) return out.append(std::to_string(*i));
  if (const double* d = value.get<double>()) return out.append(float_text(*d));
  if (value.is_none()) return out.append("None");
  if (value.is_undefined()) return out.append("Undefined");
  if (const Text* text = value.text()) {
    machine.charge(text->size() * 16);
    return append_quoted(out, *text, repr);
  }
  if (const Sequence* list = value.sequence()) return append_sequence(machine, out, *list, repr);
  if (const Dict* dict = value.dict()) {
    out.append("{");
    for (std::size_t i = 0; i < dict->entries.size(); ++i) {
      if (i > 0) out.append(", ");
      append_repr(machine, out, dict->entries[i].first, repr);
      out.append(": ");
      append_repr(machine, out, dict->entries[i].second, repr);
    }
    return out.append("}");
  }
  if (const Loop* loop = value.loop())
    return out.append(fmt::format("<LoopContext {}/{}>", loop->index + 1, loop->items.size()));
  if (const Callable* callable = value.callable(); callable && callable->macro)
    return out.append(callable->name == "caller" ? "<Macro anonymous>" : fmt::format("<Macro '{}'>", callable->name));
  machine.error("a {} cannot be printed", type_name(value));
}

// str(value).
inline Text to_text(Machine& machine, const Value& value) {
  if (const Text* text = value.text()) {
    machine.charge(text->size());
    return text->as_plain();
  }
  if (value.is_undefined()) return {};
  Text out;
  append_repr(machine, out, value);
  return out;
}

// The same for what is no string yet; a string stays as it is, also one marked as safe.
inline Text to_soft_text(Machine& machine, const Value& value) {
  Text text = to_text(machine, value);
  return value.text() && value.text()->is_markup() ? text.as_markup() : text;
}

}  // namespace temper::templates
