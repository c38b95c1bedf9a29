// SPDX-License-Identifier: MIT
// Reads rows: JSONL, one object a line, or a JSON array of objects. Each keeps the file and line that it stands at, for
// every message about it.
#pragma once
#include "temper/io/file.hpp"
#include "temper/io/json.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

struct Record {
  Json fields;  // an object
  Index line = 1;
};

inline constexpr std::size_t max_row_file_bytes = std::size_t{4} << 30;

inline void refuse_other_formats(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  for (const std::string_view later : {".csv", ".tsv", ".parquet", ".gz", ".zst"})
    require(extension != later, Fault::usage, "rows.file_type", "{}: {} files are not read yet; {}", shown_path(path),
            later, "expected JSONL or a JSON array; convert the file");
}

inline void require_object(const Json& value, const std::filesystem::path& path, Index line) {
  require(value.is_object(), Fault::data, "rows.not_an_object", "{}:{}: the row is {}; expected an object of fields",
          shown_path(path), line, value.is_null() ? std::string("null") : "a JSON " + std::string(value.type_name()));
}

inline std::vector<Record> read_row_array(std::string_view text, const std::filesystem::path& path, Index first_line) {
  JsonOptions options;
  options.first_line = first_line;
  LocatedJson located = parse_located_json(text, shown_path(path), options);
  if (!located.duplicates.empty())
    fail(Fault::data, "json.duplicate_key", "{}:{}:{}: key '{}' stands twice in one object; expected it once",
         shown_path(path), located.duplicates[0].place.line, located.duplicates[0].place.column,
         printable(located.duplicates[0].pointer));
  std::vector<Record> records;
  for (std::size_t i = 0; i < located.value.size(); ++i) {
    const Index line = located.values.at("/" + std::to_string(i)).line;
    require_object(located.value[i], path, line);
    records.push_back({std::move(located.value[i]), line});
  }
  return records;
}

inline std::vector<Record> parse_rows(std::string_view text, const std::filesystem::path& path) {
  constexpr std::string_view space = " \t\r\n";
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
  const std::size_t first = text.find_first_not_of(space);
  if (first != std::string_view::npos && text[first] == '[') return read_row_array(text, path, 1);
  std::vector<Record> records;
  Index line = 1;
  for (std::size_t begin = 0; begin < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view row = text.substr(begin, end - begin);
    begin = end + 1;
    if (row.find_first_not_of(space) == std::string_view::npos) continue;
    JsonOptions options;
    options.first_line = line;
    Record record{parse_json(row, shown_path(path), options), line};
    require_object(record.fields, path, line);
    records.push_back(std::move(record));
  }
  return records;
}

inline std::vector<Record> read_rows(const std::filesystem::path& path) {
  refuse_other_formats(path);
  std::vector<Record> records = parse_rows(read_file(path, max_row_file_bytes), path);
  require(!records.empty(), Fault::data, "rows.empty_file", "{}: has no rows; expected one object a line",
          shown_path(path));
  return records;
}

}  // namespace temper
