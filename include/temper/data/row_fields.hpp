// SPDX-License-Identifier: MIT
// The fields of one record by our names: through 'columns' where it maps them, with a message that names file, line and
// field for each that is missing or of the wrong type. A table's cell may hold the JSON of a list. A column that is
// named in 'columns' and stands in no row is the caller's mistake, not the file's.
#pragma once
#include "temper/data/data_settings.hpp"
#include "temper/data/json_row.hpp"
#include "temper/data/row_source.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

// Every field that any format reads.
inline constexpr std::string_view row_field_names[] = {
    "text",        "input",  "prompt",    "completion",    "response",        "output",     "expected completion",
    "messages",    "tools",  "documents", "conversations", "conversation_id", "role",       "content",
    "name",        "system", "chosen",    "rejected",      "label",           "tool_calls", "instruction",
    "tool_call_id"};

// Which of the columns that 'columns' names have been met in any row of the files of a list.
struct ColumnUse {
  std::vector<std::uint8_t> met;
  std::string first_fields, first_place;  // of the first row
};

class RowFields {
 public:
  RowFields(const DataSettings& settings, std::filesystem::path path) : settings_(settings), path_(std::move(path)) {}

  std::string place(Index line) const { return fmt::format("{}:{}", shown_path(path_), line); }

  static std::vector<std::string> wanted_columns(const DataSettings& settings) {
    std::vector<std::string> wanted;
    for (const std::string_view field : row_field_names) wanted.emplace_back(column_of(settings, field));
    return wanted;
  }

  void note_columns(const Record& record, ColumnUse& use) const {
    if (settings_.columns.empty()) return;
    if (use.met.empty()) {
      use.met.resize(settings_.columns.size());
      use.first_fields = fields_of(record);
      use.first_place = shown_path(path_);
    }
    for (std::size_t i = 0; i < use.met.size(); ++i)
      if (use.met[i] == 0 && member(record, settings_.columns[i].second)) use.met[i] = 1;
  }

  // Refuses what 'columns' names and no row has had so far.
  void require_columns(const ColumnUse& use) const {
    for (std::size_t i = 0; i < use.met.size(); ++i)
      require(use.met[i] != 0, Fault::usage, "rows.column",
              "columns: '{}' is said to stand in column '{}', which {} does not have; expected one of its fields: {}",
              printable(settings_.columns[i].first, 60), printable(settings_.columns[i].second, 60), use.first_place,
              use.first_fields);
  }

  // By our name. A null counts as there.
  const Json* find(const Record& record, std::string_view field) const {
    return member(record, column_of(settings_, field));
  }
  bool has(const Record& record, std::string_view field) const { return find(record, field) != nullptr; }

  // As find, but null is none, and so is an empty cell of a table of text.
  const Json* given(const Record& record, std::string_view field) const {
    const Json* value = find(record, field);
    if (!value || value->is_null()) return nullptr;
    if (record.cells == Cells::text && value->is_string() && value->get_ref<const std::string&>().empty())
      return nullptr;
    return value;
  }

  const Json& required(const Record& record, std::string_view field) const {
    const Json* value = find(record, field);
    if (value) return *value;
    const std::string_view column = column_of(settings_, field);
    fail(Fault::data, "rows.missing_field", "{}: has no field '{}'{}; its fields are {}; {}", place(record.line), field,
         column == field ? std::string() : " (column '" + printable(column, 60) + "')", fields_of(record),
         "expected it, or its column's name in 'columns'");
  }

  const std::string& text_of(const Record& record, std::string_view field) const {
    const Json& value = required(record, field);
    if (value.is_string()) return value.get_ref<const std::string&>();
    fail(Fault::data, "rows.field", "{}: field '{}' is {}; expected a string", place(record.line), field, shown(value));
  }

  std::string optional_text(const Record& record, std::string_view field) const {
    return given(record, field) ? text_of(record, field) : std::string();
  }

  // A value with parts. In a table its JSON may stand in a cell.
  Json structure_of(const Record& record, std::string_view field) const {
    const Json& value = required(record, field);
    if (record.cells == Cells::json || !value.is_string()) return value;
    return parsed_cell(record, field, value.get_ref<const std::string&>());
  }

  // The same where a plain text is right too: only what begins as a list is taken for one, and only when it is one.
  Json text_or_list(const Record& record, std::string_view field) const {
    const Json& value = required(record, field);
    if (record.cells == Cells::json || !value.is_string()) return value;
    const std::string& text = value.get_ref<const std::string&>();
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string::npos || text[first] != '[') return value;
    Json list;
    JsonRowParser parser;
    return parser.parse(text, list) && !list.empty() && list[0].is_object() ? list : value;
  }

  static std::string shown(const Json& value) {
    return value.is_null()     ? "null"
           : value.is_string() ? "a string"
           : value.is_object() ? "an object"
           : value.is_array()  ? "a list"
                               : printable(value.dump(), 40);
  }

  static std::string fields_of(const Record& record) {
    std::string names;
    std::size_t shown = 0;
    for (const auto& [name, value] : record.fields.get_ref<const Json::object_t&>()) {
      if (names.size() >= 300) return fmt::format("{} and {} more", names, record.fields.size() - shown);
      names += (names.empty() ? "'" : ", '") + printable(name, 60) + "'";
      ++shown;
    }
    return names.empty() ? "(none)" : names;
  }

 private:
  static std::string_view column_of(const DataSettings& settings, std::string_view field) {
    for (const auto& [ours, column] : settings.columns)
      if (ours == field) return column;
    return field;
  }

  static const Json* member(const Record& record, std::string_view name) {
    for (const auto& [key, value] : record.fields.get_ref<const Json::object_t&>())
      if (key == name) return &value;
    return nullptr;
  }

  Json parsed_cell(const Record& record, std::string_view field, const std::string& text) const {
    Json value;
    if (JsonRowParser parser; parser.parse(text, value)) return value;
    return parse_json(text, fmt::format("{}: the JSON in field '{}'", place(record.line), field));
  }

  const DataSettings& settings_;
  std::filesystem::path path_;
};

}  // namespace temper
