// SPDX-License-Identifier: MIT
// The filter 'tojson' as transformers defines it, which is Python's json.dumps: key order kept, no HTML escapes, and
// non-ASCII text as it is unless ensure_ascii is asked for. What a message wrote stays marked as its own.
#pragma once
#include "temper/data/template/arguments.hpp"
#include "temper/data/template/iteration.hpp"

namespace temper::templates {

struct JsonStyle {
  bool ensure_ascii = false, sort_keys = false;
  std::optional<std::string> indent;  // one level's worth
  std::string item_separator = ", ", key_separator = ": ";
};

class JsonWriter {
 public:
  JsonWriter(Machine& machine, const JsonStyle& style) : machine_(machine), style_(style) {}

  Text write(const Value& value) {
    append(value);
    return std::move(out_);
  }

 private:
  void append(const Value& value) {
    machine_.charge(1);
    if (value.is_none()) return out_.append("null");
    if (const bool* b = value.get<bool>()) return out_.append(*b ? "true" : "false");
    if (const auto* i = value.get<std::int64_t>()) return out_.append(std::to_string(*i));
    if (const double* d = value.get<double>()) return out_.append(number(*d));
    if (const Text* text = value.text()) return append_string(*text);
    const Sequence* list = value.sequence();
    if (list && list->is_list_or_tuple()) return append_list(*list);
    if (const Dict* dict = value.dict()) return append_dict(*dict);
    if (value.is_undefined()) undefined_error(machine_, value);
    machine_.error("tojson: a {} is not JSON", type_name(value));
  }

  static std::string number(double x) {
    if (std::isnan(x)) return "NaN";
    if (std::isinf(x)) return x < 0 ? "-Infinity" : "Infinity";
    return float_text(x);
  }

  void append_list(const Sequence& list) {
    if (list.items.empty()) return out_.append("[]");
    open("[");
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      separate(i);
      append(list.items[i]);
    }
    close("]");
  }

  void append_dict(const Dict& dict) {
    if (dict.entries.empty()) return out_.append("{}");
    std::vector<const std::pair<Value, Value>*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (style_.sort_keys)
      std::stable_sort(entries.begin(), entries.end(),
                       [&](const auto* a, const auto* b) { return order(machine_, "<", a->first, b->first) == -1; });
    open("{");
    for (std::size_t i = 0; i < entries.size(); ++i) {
      separate(i);
      append_key(entries[i]->first);
      machine_.charge(style_.key_separator.size());
      out_.append(style_.key_separator);
      append(entries[i]->second);
    }
    close("}");
  }

  void append_key(const Value& key) {
    if (const Text* text = key.text()) return append_string(*text);
    if (key.sequence() || key.dict()) machine_.error("tojson: a {} cannot be a key", type_name(key));
    out_.append("\"");
    append(key);
    out_.append("\"");
  }

  void open(std::string_view bracket) {
    out_.append(bracket);
    ++level_;
    new_line();
  }
  void close(std::string_view bracket) {
    --level_;
    new_line();
    out_.append(bracket);
  }
  void separate(std::size_t index) {
    if (index == 0) return;
    machine_.charge(style_.item_separator.size());
    out_.append(style_.item_separator);
    new_line();
  }
  void new_line() {
    if (!style_.indent) return;
    machine_.charge(style_.indent->size() * level_);
    out_.append("\n");
    for (std::size_t i = 0; i < level_; ++i) out_.append(*style_.indent);
  }

  void append_string(const Text& text) {
    machine_.charge(text.size() * 8);
    const std::string& bytes = text.bytes();
    out_.append("\"");
    std::size_t plain = 0, at = 0;  // bytes from 'plain' to 'at' need no escape
    while (at < bytes.size()) {
      const CodePoint c = code_point_at(bytes, at);
      const std::string escape = escaped(c.value);
      if (!escape.empty()) {
        out_.append(text, plain, at);
        out_.append(escape, text.writer_at(at));
        plain = at + c.bytes;
      }
      at += c.bytes;
    }
    out_.append(text, plain, at);
    out_.append("\"");
  }

  std::string escaped(std::uint32_t c) const {
    switch (c) {
      case '"':
        return "\\\"";
      case '\\':
        return "\\\\";
      case '\n':
        return "\\n";
      case '\r':
        return "\\r";
      case '\t':
        return "\\t";
      case '\b':
        return "\\b";
      case '\f':
        return "\\f";
      default:
        break;
    }
    if (c >= 0x20 && (c < 0x7f || !style_.ensure_ascii)) return {};
    if (c < 0x10000) return fmt::format("\\u{:04x}", c);
    return fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
  }

  Machine& machine_;
  const JsonStyle& style_;
  Text out_;
  std::size_t level_ = 0;
};

inline Value to_json(Machine& machine, const Value& value, const Given& given) {
  JsonStyle style;
  style.ensure_ascii = given.flag(0);
  style.sort_keys = given.flag(3);
  if (given[1] && !given[1]->is_none()) {
    style.indent = given[1]->text() ? given[1]->text()->bytes() : std::string();
    if (!given[1]->text()) {
      machine.reserve_room(given.integer(1, 0), 1);
      style.indent->assign(static_cast<std::size_t>(std::max<std::int64_t>(given.integer(1, 0), 0)), ' ');
    }
    style.item_separator = ",";
  }
  if (given[2] && !given[2]->is_none()) {
    const Sequence* pair = given[2]->sequence();
    if (!pair || pair->items.size() != 2 || !pair->items[0].text() || !pair->items[1].text())
      machine.error("tojson: separators must be two strings");
    style.item_separator = pair->items[0].text()->bytes();
    style.key_separator = pair->items[1].text()->bytes();
  }
  return machine.text(JsonWriter(machine, style).write(value));
}

}  // namespace temper::templates
