// SPDX-License-Identifier: MIT
// CSV and TSV with a header, as RFC 4180 has it: a field in quotes may hold separators, newlines, and quotes that are
// doubled. Lines end with or without a carriage return; a byte order mark and empty lines are passed over. All fields
// are text. A file of which a row has another number of fields than the header is refused, never guessed at.
#pragma once
#include "temper/data/byte_source.hpp"
#include "temper/data/row_source.hpp"
#include "temper/data/utf8.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

class CsvRows final : public RowSource {
 public:
  CsvRows(std::unique_ptr<ByteSource> source, const std::filesystem::path& path, char separator)
      : window_(std::move(source), path), separator_(separator) {}

  bool next(Record& record) override {
    if (names_.empty()) {
      skip_byte_order_mark(window_);
      read_header();
    }
    if (!read_row()) return false;
    if (fields_.size() != names_.size())
      fail(Fault::data, "rows.csv_fields", "{}:{}: the row has {} fields but the header names {}; expected as many; {}",
           place(), row_line_, fields_.size(), names_.size(),
           "put quotes around fields that hold separators or newlines");
    record.line = row_line_;
    record.cells = Cells::text;
    record.fields = Json::object();
    auto& members = record.fields.get_ref<Json::object_t&>();
    static_cast<Json::object_t::Container&>(members).reserve(names_.size());
    for (std::size_t i = 0; i < names_.size(); ++i)
      static_cast<Json::object_t::Container&>(members).emplace_back(names_[i], std::move(fields_[i]));
    return true;
  }

 private:
  static constexpr std::size_t max_fields = 4096;

  void read_header() {
    require(read_row(), Fault::data, "rows.csv_header", "{}: has no line; expected a header with the names of its {}",
            shown_path(window_.path()), "fields");
    names_ = fields_;
    std::vector<std::string_view> sorted(names_.begin(), names_.end());
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    require(twice == sorted.end(), Fault::data, "rows.csv_header",
            "{}:{}: the header names '{}' twice; expected each name once", shown_path(window_.path()), row_line_,
            twice == sorted.end() ? std::string() : printable(*twice, 60));
  }

  // One row into fields_, from window_. Empty lines are none. False: the file has ended.
  bool read_row() {
    while (true) {
      row_line_ = window_.line();
      line_ = row_line_;
      at_ = 0;
      if (!there()) return false;
      fields_.clear();
      bool more = true;
      while (more) {
        if (fields_.size() == max_fields)
          fail(Fault::data, "rows.csv_fields", "{}:{}: the row has more than {} fields; expected fewer", place(),
               row_line_, max_fields);
        fields_.emplace_back();
        more = read_field(fields_.back());
      }
      const bool blank = fields_.size() == 1 && fields_[0].empty() && !quoted_;
      window_.drop(at_);
      window_.count_lines(line_ - row_line_);
      if (!blank) return true;
    }
  }

  bool there() { return at_ < window_.rest().size() || window_.more(); }
  char here() const { return window_.rest()[at_]; }

  // Whether another field follows in this row.
  bool read_field(std::string& field) {
    quoted_ = there() && here() == '"';
    if (quoted_) {
      read_quoted(field);
    } else {
      read_plain(field);
    }
    require_unicode(field);
    if (!there()) return false;
    if (here() == separator_) {
      ++at_;
      return true;
    }
    if (here() == '\r') {
      ++at_;
      if (!there() || here() != '\n')
        fail(Fault::data, "rows.csv_quotes",
             "{}:{}: a carriage return without a newline, in field {}; expected lines that end with a newline, {}",
             place(), line_, fields_.size(), "or quotes around the field");
    }
    if (here() != '\n')
      fail(Fault::data, "rows.csv_quotes",
           "{}:{}: something follows the closing quote of field {}; expected a separator or the end of the line; {}",
           place(), line_, fields_.size(), "double the quotes that belong to the text");
    ++at_;
    ++line_;
    return false;
  }

  void read_plain(std::string& field) {
    while (there()) {
      const std::string_view rest = window_.rest().substr(at_);
      std::size_t count = 0;
      while (count < rest.size() && rest[count] != separator_ && rest[count] != '\n' && rest[count] != '\r') ++count;
      field.append(rest, 0, count);
      at_ += count;
      if (count < rest.size()) return;
    }
  }

  void read_quoted(std::string& field) {
    const Index opened = line_;
    ++at_;
    while (true) {
      if (!there())
        fail(Fault::data, "rows.csv_quotes",
             "{}:{}: the quote that opens field {} is never closed; expected a closing quote before the file ends",
             place(), opened, fields_.size());
      const std::string_view rest = window_.rest().substr(at_);
      const std::size_t count = std::min(rest.find('"'), rest.size());
      field.append(rest, 0, count);
      line_ += std::count(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(count), '\n');
      at_ += count;
      if (count == rest.size()) continue;
      ++at_;
      if (!there() || here() != '"') return;
      field += '"';
      ++at_;
    }
  }

  void require_unicode(std::string_view field) const {
    const std::size_t at = invalid_utf8(field);
    if (at == field.size()) return;
    fail(Fault::data, "rows.utf8",
         "{}:{}: field {} is not valid UTF-8 (byte {} of it is 0x{:02x}); expected UTF-8; convert the file", place(),
         row_line_, field_name(), at + 1, static_cast<unsigned char>(field[at]));
  }

  std::string place() const { return shown_path(window_.path()); }

  std::string field_name() const {
    const std::size_t index = fields_.size() - 1;
    return index < names_.size() ? "'" + printable(names_[index], 60) + "'" : std::to_string(index + 1);
  }

  ByteWindow window_;
  char separator_;
  std::vector<std::string> names_, fields_;
  std::size_t at_ = 0;             // in the window
  Index row_line_ = 1, line_ = 1;  // where the row begins, where reading is
  bool quoted_ = false;            // the field read last
};

}  // namespace temper
