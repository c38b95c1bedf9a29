// SPDX-License-Identifier: MIT
#include "members_text.hpp"

#include <algorithm>
#include <string_view>

#include "format.hpp"
#include "temper/io/printable.hpp"

namespace temper_cli {
namespace {

constexpr std::size_t longest_value = 100, most_members = 100;
constexpr int deepest = 8;

// Cut at a word where there is one, else between letters.
std::string shortened(std::string_view text) {
  if (text.size() <= longest_value) return temper::printable(text, 4 * longest_value);
  std::size_t cut = text.rfind(' ', longest_value);
  if (cut == std::string_view::npos || cut < longest_value / 2) {
    cut = longest_value;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0u) == 0x80u) --cut;
  }
  return fmt::format("{} ... and {} more bytes", temper::printable(text.substr(0, cut), 4 * longest_value),
                     count_text(static_cast<std::int64_t>(text.size() - cut)));
}

// A value that takes no lines of its own.
std::string word_of(const temper::Json& value) {
  if (const auto* text = value.get_ptr<const temper::Json::string_t*>()) return shortened(*text);
  if (value.is_object()) return value.empty() ? "{}" : fmt::format("{} members", value.size());
  if (value.is_array()) return value.empty() ? "[]" : fmt::format("{} values", value.size());
  return value.dump();
}

// As many as fit in a line.
std::string list_text(const temper::Json& list) {
  std::string text;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string word = word_of(list[i]);
    if (i > 0 && text.size() + word.size() + 2 > longest_value)
      return fmt::format("{} and {} more", text, count_text(static_cast<std::int64_t>(list.size() - i)));
    text += (i == 0 ? "" : ", ") + word;
  }
  return text;
}

bool holds_objects(const temper::Json& value) {
  return value.is_array() &&
         std::any_of(value.begin(), value.end(), [](const temper::Json& one) { return one.is_object(); });
}

std::string more_text(const std::string& indent, std::size_t count) {
  return fmt::format("{}... and {} more\n", indent, count_text(static_cast<std::int64_t>(count)));
}

void add_lines(std::string& text, const temper::Json& object, int margin, int depth) {
  std::size_t width = 0, shown = 0;
  for (const auto& [key, value] : object.items())
    if ((!value.is_object() || value.empty()) && !holds_objects(value))
      width = std::max(width, std::min<std::size_t>(temper::printable(key, 60).size(), 44));
  const std::string indent(static_cast<std::size_t>(margin), ' ');
  for (const auto& [key, value] : object.items()) {
    if (++shown > most_members) {
      text += more_text(indent, object.size() - most_members);
      return;
    }
    const std::string name = temper::printable(key, 60);
    if (value.is_object() && !value.empty() && depth > 0) {
      text += fmt::format("{}{}\n", indent, name);
      add_lines(text, value, margin + 2, depth - 1);
    } else if (holds_objects(value) && depth > 0) {
      text += fmt::format("{}{}\n", indent, name);
      temper::Json rows = temper::Json::object();  // by their names, where they have one and something else
      for (std::size_t i = 0; i < std::min(value.size(), most_members); ++i) {
        const temper::Json& row = value[i];
        const bool is_named = row.is_object() && row.size() == 2 && row.contains("name") && row["name"].is_string();
        if (is_named && !rows.contains(row["name"].get_ref<const std::string&>()))
          rows[row["name"].get_ref<const std::string&>()] = row.front() == row["name"] ? row.back() : row.front();
        else
          rows[std::to_string(i + 1)] = row;
      }
      add_lines(text, rows, margin + 2, depth - 1);
      if (value.size() > rows.size()) text += more_text(indent + "  ", value.size() - rows.size());
    } else {
      text += fmt::format("{}{:<{}}  {}\n", indent, name, width,
                          value.is_array() && !value.empty() ? list_text(value) : word_of(value));
    }
  }
}

}  // namespace

std::string members_text(const temper::Json& object, int margin) {
  std::string text;
  if (object.is_object()) add_lines(text, object, margin, deepest);
  return text;
}

}  // namespace temper_cli
