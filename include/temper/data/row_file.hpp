// SPDX-License-Identifier: MIT
// Reads rows of JSON, one at a time: JSONL, one object a line, or an array of objects. Each keeps the file and line
// that it stands at, for every message about it.
#pragma once
#include "temper/data/byte_source.hpp"
#include "temper/data/json_row.hpp"
#include "temper/data/row_source.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

inline void require_object(const Json& value, const std::filesystem::path& path, Index line) {
  if (value.is_object()) return;
  fail(Fault::data, "rows.not_an_object", "{}:{}: the row is {}; expected an object of fields", shown_path(path), line,
       value.is_null() ? std::string("null") : "a JSON " + std::string(value.type_name()));
}

class JsonRows final : public RowSource {
 public:
  JsonRows(std::unique_ptr<ByteSource> source, const std::filesystem::path& path) : window_(std::move(source), path) {}

  bool next(Record& record) override {
    if (state_ == State::fresh) begin();
    record.cells = Cells::json;
    if (state_ == State::lines) return next_line(record);
    return state_ == State::items && next_item(record);
  }

 private:
  enum class State { fresh, lines, items, done };
  static constexpr std::string_view space = " \t\r\n";

  void begin() {
    skip_byte_order_mark(window_);
    state_ = State::lines;
    // Blank lines before the first row are not yet passed over: those of JSONL are counted with it.
    for (std::size_t seen = 0; true; seen = window_.rest().size()) {
      const std::size_t first = window_.rest().find_first_not_of(space, seen);
      if (first != std::string_view::npos) {
        if (window_.rest()[first] != '[') return;
        pass_space();
        pass(1);
        state_ = State::items;
        return;
      }
      if (!window_.more()) return;
    }
  }

  bool next_line(Record& record) {
    while (true) {
      std::size_t seen = 0, end = std::string_view::npos;
      while (true) {
        end = window_.rest().find('\n', seen);
        if (end != std::string_view::npos) break;
        seen = window_.rest().size();
        if (!window_.more()) break;
      }
      if (end == std::string_view::npos && window_.rest().empty()) return false;
      const std::string_view row = window_.rest().substr(0, end);
      const Index line = window_.line();
      const bool blank = row.find_first_not_of(space) == std::string_view::npos;
      if (!blank) {
        if (end != std::string_view::npos) refuse_unfinished(row, line);
        record.line = line;
        record.fields = parsed(row, line, 1);
        require_object(record.fields, window_.path(), line);
      }
      window_.drop(row.size() + (end == std::string_view::npos ? 0 : 1));
      window_.count_lines(1);
      if (!blank) return true;
    }
  }

  // JSON that was indented for people is likely: say what to do, and not that the line ends early.
  void refuse_unfinished(std::string_view row, Index line) const {
    const char first = row[row.find_first_not_of(space)], last = row[row.find_last_not_of(space)];
    require(first != '{' || (last != '{' && last != '[' && last != ','), Fault::data, "json.syntax",
            "{}:{}: the object does not end on its line; expected one object a line, or all in an array",
            shown_path(window_.path()), line);
  }

  // The text is searched for the element's end first: a bracket or comma outside of strings and brackets.
  bool next_item(Record& record) {
    pass_space();
    if (first_item_ && window_.rest().starts_with(']')) return finish_array();
    first_item_ = false;
    const Index line = window_.line(), column = column_;
    const std::size_t size = item_size();
    if (size == 0)
      fail_here(window_.rest().empty() ? "the text ends inside of an array; expected an object"
                                       : "a row is missing; expected an object");
    const std::string_view item = window_.rest().substr(0, size);
    record.line = line;
    record.fields = parsed(item, line, column);
    require_object(record.fields, window_.path(), line);
    pass(size);
    const std::string_view rest = window_.rest();
    if (rest.empty()) fail_here("the text ends inside of an array; expected ',' or ']'");
    if (rest[0] == ']') {
      finish_array();
    } else {
      pass(1);
    }
    return true;
  }

  std::size_t item_size() {
    bool in_string = false, escaped = false;
    std::size_t depth = 0;
    std::string_view rest = window_.rest();
    for (std::size_t at = 0; true; ++at) {
      if (at == rest.size()) {
        if (!window_.more()) return at;
        rest = window_.rest();
      }
      const char c = rest[at];
      if (in_string) {
        if (escaped) {
          escaped = false;
        } else if (c == '\\') {
          escaped = true;
        } else if (c == '"') {
          in_string = false;
        }
        continue;
      }
      if (c == '"') in_string = true;
      if (depth == 0 && (c == ',' || c == ']')) return at;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && depth > 0) --depth;
    }
  }

  bool finish_array() {
    pass(1);
    pass_space();
    if (!window_.rest().empty()) fail_here("something follows the array; expected the end of the text");
    state_ = State::done;
    return false;
  }

  void pass_space() {
    while (true) {
      const std::string_view rest = window_.rest();
      const std::size_t count = std::min(rest.find_first_not_of(space), rest.size());
      pass(count);
      if (count < rest.size() || !window_.more()) return;
    }
  }

  void pass(std::size_t count) {
    for (const char c : window_.rest().substr(0, count)) {
      if (c == '\n') {
        window_.count_lines(1);
        column_ = 1;
      } else if ((static_cast<unsigned char>(c) & 0xc0u) != 0x80u) {
        ++column_;
      }
    }
    window_.drop(count);
  }

  [[noreturn]] void fail_here(std::string_view what) const {
    fail(Fault::data, "json.syntax", "{}:{}:{}: not valid JSON: {}", shown_path(window_.path()), window_.line(),
         column_, what);
  }

  Json parsed(std::string_view text, Index line, Index column) {
    Json value;
    if (parser_.parse(text, value)) return value;
    JsonOptions options;
    options.first_line = line;
    options.first_column = column;
    return parse_json(text, shown_path(window_.path()), options);
  }

  ByteWindow window_;
  JsonRowParser parser_;
  State state_ = State::fresh;
  Index column_ = 1;  // in an array
  bool first_item_ = true;
};

inline std::vector<Record> parse_rows(std::string_view text, const std::filesystem::path& path) {
  JsonRows rows(std::make_unique<TextBytes>(text), path);
  return all_rows(rows);
}

}  // namespace temper
