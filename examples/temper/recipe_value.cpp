// SPDX-License-Identifier: MIT
// One value against its row of the table: strict types (no string for a number, no 1 for true), words, ranges.
#include <algorithm>
#include <cmath>
#include <limits>

#include "recipe.hpp"
#include "suggestion.hpp"

namespace temper_cli {
namespace {

std::vector<std::string_view> split_words(std::string_view words) {
  std::vector<std::string_view> result;
  while (!words.empty()) {
    const std::size_t space = words.find(' ');
    result.push_back(words.substr(0, space));
    words = space == std::string_view::npos ? std::string_view{} : words.substr(space + 1);
  }
  return result;
}

std::string joined(const std::vector<std::string_view>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

std::string shown(const Json& value) {
  if (value.is_string()) return fmt::format("'{}'", temper::printable(value.get_ref<const std::string&>(), 60));
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  return temper::printable(value.dump(), 60);
}

std::string kind_of(const Json& value) {
  if (value.is_string()) return shown(value) + " is a string";
  if (value.is_boolean()) return shown(value) + " is a boolean";
  if (value.is_number_float()) return shown(value) + " is not an integer";
  if (value.is_number()) return shown(value) + " is a number";
  if (value.is_null()) return "null";
  return "is " + shown(value);
}

bool is_empty_text(const Json& value) { return value.is_string() && value.get_ref<const std::string&>().empty(); }

bool all_strings(const Json& list) {
  return list.is_array() && std::all_of(list.begin(), list.end(), [](const Json& item) { return item.is_string(); });
}
bool all_names(const Json& list) {
  return all_strings(list) &&
         std::all_of(list.begin(), list.end(), [](const Json& item) { return !is_empty_text(item); });
}
bool is_path(const Json& value) { return value.is_string() && !is_empty_text(value); }
bool is_paths(const Json& value) { return is_path(value) || (all_names(value) && !value.empty()); }

std::string word_complaint(const Key& key, const Json& value, Words allowed) {
  const std::string& word = value.get_ref<const std::string&>();
  if (has_word(key.words, word) && !word.empty()) return "";
  const std::vector<std::string_view> words = split_words(key.words);
  if (has_word(key.later, word) && !word.empty() && allowed == Words::all) return "";
  if (has_word(key.later, word) && !word.empty())
    return fmt::format("'{}' is not yet built; this version has {}", word, joined(words));
  std::vector<std::string_view> known = words;
  for (const std::string_view later : split_words(key.later)) known.push_back(later);
  const std::string near = nearest_word(word, known);
  return fmt::format("{} is not known{}; expected {}", shown(value),
                     near.empty() ? "" : fmt::format("; did you mean '{}'?", near), expectation(key));
}

std::string range_complaint(const Key& key, const Json& value) {
  if (key.range.name.empty()) return "";
  const double number = value.get<double>();
  if (number >= key.range.low && number <= key.range.high) return "";
  return fmt::format("{} is out of range; expected {}", shown(value), expectation(key));
}

}  // namespace

std::string expectation(const Key& key) {
  const auto with_range = [&](std::string_view what) {
    return key.range.name.empty() ? std::string(what) : fmt::format("{}, {}", what, key.range.name);
  };
  std::string what;
  switch (key.kind) {
    case Kind::word:
      what = "one of " + joined(split_words(key.words));
      break;
    case Kind::text:
      what = "a string";
      break;
    case Kind::path:
      what = "a path";
      break;
    case Kind::paths:
      what = "a path or a list of paths";
      break;
    case Kind::validation:
      what = "a path, a list of paths, or a fraction between 0 and 1";
      break;
    case Kind::template_:
      what = "a file, a template's text, or \"none\"";
      break;
    case Kind::texts:
      what = "a list of names";
      break;
    case Kind::targets:
      what = "\"all-linear\" or a list of names";
      break;
    case Kind::boolean:
      what = "true or false";
      break;
    case Kind::integer:
      what = with_range("an integer");
      break;
    case Kind::number:
      what = key.range.name.starts_with("a number") ? std::string(key.range.name) : with_range("a number");
      break;
    case Kind::columns:
      what = "an object of column names";
      break;
    case Kind::object:
      what = "an object";
      break;
  }
  return key.fallback == "null" ? what + ", or null" : what;
}

std::string complaint(const Key& key, const Json& value, Words words) {
  if (value.is_null() && key.fallback == "null") return "";
  if (value.is_null() && key.path == "training.max_grad_norm") return "";
  const auto wrong = [&] { return fmt::format("{}; expected {}", kind_of(value), expectation(key)); };
  switch (key.kind) {
    case Kind::word:
      return value.is_string() ? word_complaint(key, value, words) : wrong();
    case Kind::text:
      return value.is_string() ? "" : wrong();
    case Kind::path:
      return is_path(value) ? "" : is_empty_text(value) ? "is empty; expected a path" : wrong();
    case Kind::paths:
      return is_paths(value) ? "" : value.is_array() && value.empty() ? "the list is empty; expected a path" : wrong();
    case Kind::validation:
      if (value.is_number_float() || value.is_number_integer()) {
        const double fraction = value.get<double>();
        return fraction > 0 && fraction < 1
                   ? ""
                   : fmt::format("{} is out of range; expected a fraction between 0 and 1", shown(value));
      }
      return is_paths(value) ? "" : wrong();
    case Kind::template_:
      return is_path(value) ? "" : wrong();
    case Kind::texts:
      return all_names(value) ? "" : wrong();
    case Kind::targets:
      if (value == "all-linear" || (all_names(value) && !value.empty())) return "";
      if (value.is_string()) return fmt::format("{} is a string; expected {}", shown(value), expectation(key));
      return wrong();
    case Kind::boolean:
      return value.is_boolean() ? "" : wrong();
    case Kind::integer:
      return value.is_number_integer() ? range_complaint(key, value) : wrong();
    case Kind::number:
      return value.is_number() ? range_complaint(key, value) : wrong();
    case Kind::columns:
      if (!value.is_object()) return wrong();
      for (const auto& [field, column] : value.items())
        if (!column.is_string())
          return fmt::format("'{}': {}; expected the name of a column", temper::printable(field, 60), kind_of(column));
      return "";
    case Kind::object:
      return value.is_object() ? "" : wrong();
  }
  return "";
}

std::optional<Json> parse_override(const Key& key, std::string_view text) {
  const auto as_json = [&]() -> std::optional<Json> {
    try {
      return temper::parse_json(text, "--set", {.fault = temper::Fault::usage});
    } catch (const temper::Error&) { return std::nullopt; }
  };
  const bool nullable = key.fallback == "null" || key.path == "training.max_grad_norm";
  if (text == "null" && nullable) return Json(nullptr);
  switch (key.kind) {
    case Kind::word:
    case Kind::text:
    case Kind::path:
    case Kind::template_:
      return Json(std::string(text));
    case Kind::paths:
    case Kind::targets:
      if (!text.starts_with('[')) return Json(std::string(text));
      return as_json();
    case Kind::validation: {
      if (text.starts_with('[')) return as_json();
      if (std::optional<Json> number = as_json(); number && number->is_number()) return number;
      return Json(std::string(text));
    }
    case Kind::texts: {
      if (text.starts_with('[')) return as_json();
      Json list = Json::array();  // a,b,c
      for (std::size_t begin = 0; begin <= text.size() && !text.empty();) {
        const std::size_t comma = std::min(text.find(',', begin), text.size());
        list.push_back(std::string(text.substr(begin, comma - begin)));
        begin = comma + 1;
      }
      return list;
    }
    case Kind::boolean:
    case Kind::integer:
    case Kind::number:
    case Kind::columns:
    case Kind::object: {
      std::optional<Json> value = as_json();
      if (!value) return Json(std::string(text));  // the complaint then says what it is and what was expected
      return value;
    }
  }
  return std::nullopt;
}

}  // namespace temper_cli
