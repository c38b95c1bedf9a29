// SPDX-License-Identifier: MIT
// A file as rows, one at a time: what JSON lines, arrays, CSV and Parquet have in common. A record is an object of
// fields with the place that messages name: its line, or, in a Parquet file, which has no lines, its row from 1.
#pragma once
#include "temper/io/json.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace temper {

// What a string in a record may stand for.
enum class Cells {
  json,   // a string is a string
  typed,  // a table with types: where messages are wanted, a string may hold their JSON
  text,   // a table of text: moreover numbers are written as text, and what is empty may be absent
};

struct Record {
  Json fields;  // an object
  Index line = 1;
  Cells cells = Cells::json;
};

class RowSource {
 public:
  RowSource() = default;
  RowSource(const RowSource&) = delete;
  RowSource& operator=(const RowSource&) = delete;
  virtual ~RowSource() = default;
  virtual bool next(Record& record) = 0;  // false: there are no more
};

// Opens a file by its name. 'wanted' are the columns that somebody will look at; others may be left null. None: all.
using RowOpener =
    std::function<std::unique_ptr<RowSource>(const std::filesystem::path& path, std::span<const std::string> wanted)>;

inline std::vector<Record> all_rows(RowSource& source) {
  std::vector<Record> records;
  for (Record record; source.next(record);) records.push_back(std::move(record));
  return records;
}

}  // namespace temper
