// SPDX-License-Identifier: MIT
// A template's tokens under a reader that knows how deep it has gone, and says what it expected where.
#pragma once
#include "temper/data/template/lexer.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper::templates {

class TokenStream {
 protected:
  TokenStream(std::vector<Token> tokens, const Limits& limits) : tokens_(std::move(tokens)), limits_(limits) {}

  // Counts how deep the parser has gone for as long as it lives.
  class Nesting {
   public:
    explicit Nesting(TokenStream& parser) : parser_(parser) {
      if (++parser_.nesting_ > parser_.limits_.parse_depth)
        fail_at(parser_.place(), "chat_template.limit", "nested deeper than {} levels", parser_.limits_.parse_depth);
    }
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    TokenStream& parser_;
  };

  const Token& token() const { return tokens_[at_]; }
  Token::Kind kind() const { return token().kind; }
  Position place() const { return token().at; }
  const Token& after() const { return tokens_[at_ + 1]; }  // there is one before the end
  const Limits& limits() const { return limits_; }
  bool at_end() const { return kind() == Token::Kind::end; }
  bool is_symbol(std::string_view text) const { return kind() == Token::Kind::symbol && token().text == text; }
  bool is_name(std::string_view text) const { return kind() == Token::Kind::name && token().text == text; }

  Token take() {  // the end stays
    if (at_end()) return token();
    return std::move(tokens_[at_++]);
  }

  template <class... Values>
  [[noreturn]] void syntax_error(fmt::format_string<Values...> sentence, Values&&... values) const {
    fail_at(place(), "chat_template.syntax", sentence, std::forward<Values>(values)...);
  }

  std::string describe() const {
    switch (kind()) {
      case Token::Kind::end:
        return "end of template";
      case Token::Kind::block_end:
        return "%}";
      case Token::Kind::variable_end:
        return "}}";
      case Token::Kind::block_begin:
        return "{%";
      case Token::Kind::variable_begin:
        return "{{";
      default:
        return token().text.substr(0, 40);
    }
  }

  void expect(Token::Kind wanted, std::string_view shown) {
    if (kind() != wanted) syntax_error("expected '{}', found '{}'", shown, describe());
    take();
  }
  void expect_symbol(std::string_view symbol) {
    if (!is_symbol(symbol)) syntax_error("expected '{}', found '{}'", symbol, describe());
    take();
  }
  std::string take_name() {
    if (kind() != Token::Kind::name) syntax_error("expected a name, found '{}'", describe());
    return take().text;
  }

 private:
  std::vector<Token> tokens_;
  Limits limits_;
  std::size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace temper::templates
