// SPDX-License-Identifier: MIT
// Cuts a template into tokens as Jinja does with trim_blocks and lstrip_blocks on: the newline after a block tag goes,
// blanks before a block tag that starts its line go, and '-' strips all white space on its side ('+' keeps it).
#pragma once
#include "temper/data/template/literals.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace temper::templates {

class Lexer {
 public:
  explicit Lexer(std::string_view source) {
    source_.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {  // one kind of newline
      if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
      source_.push_back(source[i] == '\r' ? '\n' : source[i]);
    }
    if (!source_.empty() && source_.back() == '\n') source_.pop_back();  // keep_trailing_newline is off
  }

  std::vector<Token> tokens() {
    while (at_ < source_.size()) read_data();
    push(Token::Kind::end, "");
    return std::move(tokens_);
  }

 private:
  static constexpr std::size_t npos = std::string::npos;

  bool starts(std::string_view what, std::size_t at) const { return source_.compare(at, what.size(), what) == 0; }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }

  // Where reading stands; counted on from the last time it was asked for.
  Position here() {
    for (; counted_ < at_; ++counted_) {
      if (source_[counted_] == '\n')
        place_ = {place_.line + 1, 1};
      else if (!is_continuation(source_[counted_]))
        ++place_.column;
    }
    return place_;
  }

  void push(Token::Kind kind, std::string text) { tokens_.push_back({kind, here(), std::move(text), 0, 0}); }

  // Text up to the next tag, then the tag.
  void read_data() {
    std::size_t tag = at_;
    while (true) {
      tag = source_.find('{', tag);
      if (tag == npos || tag + 1 >= source_.size()) tag = npos;
      if (tag == npos || source_[tag + 1] == '%' || source_[tag + 1] == '{' || source_[tag + 1] == '#') break;
      ++tag;
    }
    std::string data = source_.substr(at_, tag == npos ? npos : tag - at_);
    if (tag == npos) {
      push(Token::Kind::data, data);
      at_ = source_.size();
      return;
    }
    const char type = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    if (sign == '-')
      strip_end(data);
    else if (sign != '+' && type != '{')
      strip_line_start(data);
    if (!data.empty()) push(Token::Kind::data, data);
    at_ = tag;
    const std::size_t signs = sign == '-' || sign == '+' ? 1 : 0;
    if (type == '#') return read_comment(signs);
    if (type == '%' && read_raw(signs)) return;
    push(type == '%' ? Token::Kind::block_begin : Token::Kind::variable_begin, "");
    at_ += 2 + signs;
    read_tag(type == '%');
  }

  // As Python's rstrip(): any white space.
  static void strip_end(std::string& data) {
    while (!data.empty()) {
      std::size_t last = data.size() - 1;
      while (last > 0 && is_continuation(data[last])) --last;
      if (!is_space(code_point_at(data, last).value)) return;
      data.resize(last);
    }
  }

  void strip_line_start(std::string& data) const {
    const std::size_t newline = data.rfind('\n');
    if (newline == npos && !line_starting_) return;
    const std::size_t start = newline == npos ? 0 : newline + 1;
    for (std::size_t i = start; i < data.size();) {
      const CodePoint c = code_point_at(data, i);
      if (!is_space(c.value)) return;
      i += c.bytes;
    }
    data.resize(start);
  }

  void skip_space() {
    while (at_ < source_.size()) {
      const CodePoint c = code_point_at(source_, at_);
      if (!is_space(c.value)) return;
      at_ = at_ + c.bytes;
    }
  }

  // After the end of a block or a comment: strip by its sign, or drop one newline.
  void finish_tag(char sign, std::size_t bytes, bool trims) {
    at_ += bytes;
    line_starting_ = false;
    if (sign == '-') {
      const std::size_t before = at_;
      skip_space();
      line_starting_ = at_ > before && source_[at_ - 1] == '\n';
    } else if (trims && sign != '+' && peek() == '\n') {
      at_ = at_ + 1;
      line_starting_ = true;
    }
  }

  void read_comment(std::size_t signs) {
    const std::size_t end = source_.find("#}", at_ + 2 + signs);
    if (end == npos) fail_at(here(), "chat_template.syntax", "a comment is not closed; expected '#}}'");
    const char sign = end > at_ + 2 + signs ? source_[end - 1] : '\0';
    at_ = end;
    finish_tag(sign == '-' || sign == '+' ? sign : '\0', 2, true);
  }

  // '{% raw %}' up to '{% endraw %}' is text; answers whether there was one.
  bool read_raw(std::size_t signs) {
    std::size_t at = at_ + 2 + signs;
    const auto skip = [&] {
      while (at < source_.size() && is_space(static_cast<unsigned char>(source_[at]))) ++at;
    };
    const auto word = [&](std::string_view name) {
      skip();
      if (!starts(name, at)) return false;
      at += name.size();
      skip();
      return true;
    };
    if (!word("raw") || !(starts("%}", at) || starts("-%}", at))) return false;
    const bool strips = source_[at] == '-';
    at_ = at + (strips ? 3 : 2);
    line_starting_ = false;
    if (strips) {
      const std::size_t before = at_;
      skip_space();
      line_starting_ = at_ > before && source_[at_ - 1] == '\n';
    }
    for (std::size_t begin = at_; (begin = source_.find("{%", begin)) != npos; begin += 2) {
      at = begin + 2;
      const char open = at < source_.size() ? source_[at] : '\0';
      if (open == '-' || open == '+') ++at;
      if (!word("endraw")) continue;
      const char close = at < source_.size() ? source_[at] : '\0';
      if (close == '-' || close == '+') ++at;
      if (!starts("%}", at)) continue;
      std::string data = source_.substr(at_, begin - at_);
      if (open == '-')
        strip_end(data);
      else if (open != '+')
        strip_line_start(data);
      if (!data.empty()) push(Token::Kind::data, data);
      at_ = at;
      finish_tag(close, 2, true);
      return true;
    }
    fail_at(here(), "chat_template.syntax", "a raw block is not closed; expected '{{% endraw %}}'");
  }

  void read_tag(bool block) {
    const std::string_view close = block ? "%}" : "}}";
    const Position opened = here();
    std::string brackets;
    while (true) {
      skip_space();
      if (at_ >= source_.size()) fail_at(opened, "chat_template.syntax", "a tag is not closed; expected '{}'", close);
      if (brackets.empty()) {
        const char sign = (peek() == '-' || (block && peek() == '+')) && starts(close, at_ + 1) ? peek() : '\0';
        if (sign != '\0' || starts(close, at_)) {
          push(block ? Token::Kind::block_end : Token::Kind::variable_end, "");
          at_ += sign != '\0';
          return finish_tag(sign, 2, block);
        }
      }
      read_token(brackets);
    }
  }

  static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
  static bool digit(char c) { return c >= '0' && c <= '9'; }

  void read_token(std::string& brackets) {
    const char c = peek();
    if (letter(c)) {
      std::size_t end = at_;
      while (end < source_.size() && (letter(source_[end]) || digit(source_[end]))) ++end;
      push(Token::Kind::name, source_.substr(at_, end - at_));
      at_ = end;
    } else if (digit(c) || c == '\'' || c == '"') {
      LiteralReader literal(source_, at_, here());
      tokens_.push_back(digit(c) ? literal.number() : literal.string());
      at_ = literal.end();
    } else {
      read_symbol(brackets);
    }
  }

  void read_symbol(std::string& brackets) {
    static constexpr std::array<std::string_view, 6> pairs = {"//", "**", "==", "!=", ">=", "<="};
    for (const std::string_view pair : pairs) {
      if (!starts(pair, at_)) continue;
      push(Token::Kind::symbol, std::string(pair));
      at_ += 2;
      return;
    }
    const char c = peek();
    if (std::string_view("+-/*%~[](){}<>=.:|,;").find(c) == std::string_view::npos)
      fail_at(here(), "chat_template.syntax", "unexpected character '{}' in a tag",
              source_.substr(at_, code_point_at(source_, at_).bytes));
    if (c == '(' || c == '[' || c == '{') brackets.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    if (c == ')' || c == ']' || c == '}') {
      if (brackets.empty()) fail_at(here(), "chat_template.syntax", "unexpected '{}'", c);
      if (brackets.back() != c)
        fail_at(here(), "chat_template.syntax", "unexpected '{}', expected '{}'", c, brackets.back());
      brackets.pop_back();
    }
    push(Token::Kind::symbol, std::string(1, c));
    ++at_;
  }

  std::string source_;
  std::size_t at_ = 0;
  std::size_t counted_ = 0;  // up to here the place is known
  Position place_;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace temper::templates
