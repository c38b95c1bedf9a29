// SPDX-License-Identifier: MIT
// One strict pass over a JSON text that calls back for every token: depth and node count are capped, integers that
// would become floating-point numbers are refused where that is not asked for, and every event has the byte where its
// token begins. nlohmann's lexer checks grammar, UTF-8 and surrogates. Nothing is built here, so a header of 100 MB
// costs no more than its text.
#pragma once
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "temper/core/error.hpp"
#include "temper/core/types.hpp"
#include "temper/io/printable.hpp"

namespace temper {

using Json = nlohmann::ordered_json;

enum class Comments { refused, allowed };
enum class LongIntegers { refused, as_doubles };  // integers of more than 64 bits

struct JsonOptions {
  std::size_t max_depth = 64;
  std::size_t max_nodes = std::numeric_limits<std::size_t>::max();  // values and keys together
  Comments comments = Comments::refused;
  LongIntegers long_integers = LongIntegers::refused;
  Index first_line = 1;  // where the text's first byte stands in 'source'
  Index first_column = 1;
  Fault fault = Fault::data;  // whose mistake it is: a recipe's is Fault::usage
};

// Both count from 1; a column is a character, not a byte.
struct Place {
  Index line = 1;
  Index column = 1;
};

inline Place place_of(std::string_view text, std::size_t offset, Index first_line = 1, Index first_column = 1) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const std::size_t newline = before.rfind('\n');
  const std::string_view line = newline == std::string_view::npos ? before : before.substr(newline + 1);
  const auto starts_character = [](char c) { return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u; };
  return {first_line + static_cast<Index>(std::count(before.begin(), before.end(), '\n')),
          (newline == std::string_view::npos ? first_column : 1) +
              static_cast<Index>(std::count_if(line.begin(), line.end(), starts_character))};
}

// Tells how far the lexer has read: its own position is not part of the SAX interface.
struct JsonPosition {
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at = nullptr;
  const char** seen = nullptr;

  reference operator*() const { return *at; }
  JsonPosition& operator++() {
    *seen = ++at;
    return *this;
  }
  JsonPosition operator++(int) {
    const JsonPosition before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(JsonPosition a, JsonPosition b) { return a.at == b.at; }
  friend bool operator!=(JsonPosition a, JsonPosition b) { return a.at != b.at; }
};

// What a pass calls back. 'at' is the byte where the token begins. An interface and no template argument, so that
// nlohmann's parser is compiled once for all readers.
struct JsonEvents {
  virtual void begin_object(std::size_t at) = 0;
  virtual void end_object() = 0;
  virtual void begin_array(std::size_t at) = 0;
  virtual void end_array() = 0;
  virtual void key(std::string& name, std::size_t at) = 0;
  virtual void scalar(Json&& value, std::size_t at) = 0;

 protected:
  ~JsonEvents() = default;
};

// Receiver of nlohmann's SAX calls.
class JsonPass {
  static constexpr std::size_t no_key = std::numeric_limits<std::size_t>::max();

  struct Level {
    bool object;
    std::size_t key = no_key;  // where the key of the value being read begins
    std::size_t item = 0;
  };

  std::string_view text_, source_;
  const JsonOptions& options_;
  JsonEvents& events_;
  const char* seen_;
  std::size_t cursor_ = 0;  // end of the last token
  std::size_t nodes_ = 0;
  std::vector<Level> levels_;

 public:
  JsonPass(std::string_view text, std::string_view source, const JsonOptions& options, JsonEvents& events)
      : text_(text), source_(source), options_(options), events_(events), seen_(text.data()) {}

  void run() {
    // nlohmann takes a zero byte for the end of the text and would not look at what follows it.
    const std::size_t zero = text_.find('\0');
    if (zero != std::string_view::npos) fail_at(zero, "json.syntax", "not valid JSON: a zero byte");
    const char* const end = text_.data() + text_.size();
    Json::sax_parse(JsonPosition{text_.data(), &seen_}, JsonPosition{end, &seen_}, this, Json::input_format_t::json,
                    true, options_.comments == Comments::allowed);
  }

  // 'source:line:column: messages[1].content: what'
  [[noreturn]] void fail_at(std::size_t offset, std::string_view code, const std::string& what) const {
    const Place place = place_of(text_, offset, options_.first_line, options_.first_column);
    const std::string field = path();
    throw Error(options_.fault, code,
                fmt::format("{}:{}:{}: {}{}{}", printable(source_, 400), place.line, place.column, field,
                            field.empty() ? "" : ": ", what));
  }

  bool null() { return scalar(Json(nullptr), take()); }
  bool boolean(bool value) { return scalar(Json(value), take()); }
  bool number_integer(std::int64_t value) { return scalar(Json(value), take_number()); }
  bool number_unsigned(std::uint64_t value) { return scalar(Json(value), take_number()); }
  bool number_float(double value, const std::string& digits) {
    const std::size_t offset = take_number();
    if (options_.long_integers == LongIntegers::refused && digits.find_first_of(".eE") == std::string::npos)
      fail_at(offset, "json.integer_range",
              fmt::format("integer {} has more than 64 bits; write it smaller, or with '.0' if it is not an integer",
                          printable(digits, 40)));
    return scalar(Json(value), offset);
  }
  bool string(std::string& value) {
    const std::size_t offset = take();
    return scalar(Json(std::move(value)), offset);
  }
  bool binary(Json::binary_t&) { return false; }  // not in JSON text

  bool key(std::string& name) {
    const std::size_t offset = take();
    count(offset);
    levels_.back().key = offset;
    events_.key(name, offset);
    return true;
  }
  bool start_object(std::size_t) {
    open(true);
    return true;
  }
  bool start_array(std::size_t) {
    open(false);
    return true;
  }
  bool end_object() {
    close();
    events_.end_object();
    return true;
  }
  bool end_array() {
    close();
    events_.end_array();
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) {
    fail_to_parse(error);
    return false;
  }

 private:
  [[noreturn]] void fail_to_parse(const nlohmann::detail::exception& error) const {
    // '[...] parse error at line l, column c: syntax error while parsing value - REASON; last read: 'X'; expected Y'.
    // Keep REASON and Y: the place is ours, and X may be long.
    std::string_view said = error.what();
    const std::size_t dash = said.find(" - ");
    if (dash != std::string_view::npos) said.remove_prefix(dash + 3);
    const std::size_t last = said.find("; last read: '"), wanted = said.rfind("; expected ");
    const bool expects = wanted != std::string_view::npos && (last == std::string_view::npos || wanted > last);
    std::string reason(said.substr(0, std::min(last, wanted)));
    if (expects) reason += said.substr(wanted);
    const auto read = static_cast<std::size_t>(seen_ - text_.data());
    const std::size_t culprit = read == 0 ? 0 : read - 1;
    if (reason.find("UTF-8") != std::string::npos)
      fail_at(culprit, "json.utf8", "text that is not valid UTF-8; expected UTF-8; convert the file or mend the bytes");
    if (reason.find("surrogate") != std::string::npos)
      fail_at(culprit, "json.surrogate",
              "an escape writes half of a surrogate pair, which is not Unicode text; expected both halves; mend or "
              "remove it");
    if (reason.find("number overflow") != std::string::npos)
      fail_at(start_of_next(), "json.number_range", "a number beyond the range of double precision");
    if (read == text_.size() && reason.find("unexpected end of input") != std::string::npos)
      fail_at(read, "json.syntax", "not valid JSON: the text ends early; was the file cut?");
    fail_at(culprit, "json.syntax", fmt::format("not valid JSON: {}", printable(reason, 200)));
  }

  std::size_t start_of_next() const {
    std::size_t at = cursor_;
    if (at == 0 && text_.starts_with("\xef\xbb\xbf")) at = 3;
    while (at < text_.size()) {
      const char c = text_[at];
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ':') {
        ++at;
      } else if (c == '/' && options_.comments == Comments::allowed && at + 1 < text_.size()) {
        const bool block = text_[at + 1] == '*';
        const std::size_t end = block ? text_.find("*/", at + 2) : text_.find_first_of("\r\n", at + 2);
        if (end == std::string_view::npos) return text_.size();
        at = block ? end + 2 : end;
      } else {
        break;
      }
    }
    return at;
  }

  std::size_t take() {
    const std::size_t begin = start_of_next();
    cursor_ = static_cast<std::size_t>(seen_ - text_.data());
    return begin;
  }

  // The lexer has read one character too many to see where the number ends, except at the end of the text.
  std::size_t take_number() {
    const std::size_t begin = take();
    const char last = text_[cursor_ - 1];
    if (last < '0' || last > '9') --cursor_;
    return begin;
  }

  void count(std::size_t offset) {
    if (nodes_ == options_.max_nodes)
      fail_at(offset, "json.nodes",
              fmt::format("more than {} keys and values; expected a smaller file", options_.max_nodes));
    ++nodes_;
  }

  bool scalar(Json&& value, std::size_t offset) {
    count(offset);
    events_.scalar(std::move(value), offset);
    value_done();
    return true;
  }

  void open(bool object) {
    const std::size_t offset = take();
    count(offset);
    if (levels_.size() >= options_.max_depth)
      fail_at(offset, "json.depth",
              fmt::format("nested deeper than {} levels; expected a flatter file", options_.max_depth));
    levels_.push_back({object});
    if (object)
      events_.begin_object(offset);
    else
      events_.begin_array(offset);
  }

  void close() {
    take();
    levels_.pop_back();
    value_done();
  }

  void value_done() {
    if (levels_.empty()) return;
    levels_.back().key = no_key;
    ++levels_.back().item;
  }

  // Where the pass is, as 'messages[1].content'. Keys are taken from the text, so nothing is kept while all is well.
  std::string path() const {
    std::string shown;
    for (const Level& level : levels_) {
      if (!level.object) {
        shown += fmt::format("[{}]", level.item);
        continue;
      }
      if (level.key == no_key) break;
      std::size_t end = level.key + 1;
      while (end < text_.size() && text_[end] != '"') end += text_[end] == '\\' ? 2u : 1u;
      const std::string_view name = text_.substr(level.key + 1, std::min(end, text_.size()) - level.key - 1);
      if (!shown.empty()) shown += '.';
      shown += printable(name, 80);
    }
    return shown;
  }
};

inline void read_json_events(std::string_view text, std::string_view source, const JsonOptions& options,
                             JsonEvents& events) {
  JsonPass(text, source, options, events).run();
}

}  // namespace temper
