// SPDX-License-Identifier: MIT
// Tokens to a tree: Jinja's statements. 'import', 'include', 'extends' and 'block' are refused, since a chat template
// is one file; the grammar of expressions is in expression_parser.hpp.
#pragma once
#include "temper/data/template/expression_parser.hpp"

#include <initializer_list>

namespace temper::templates {

class Parser : private ExpressionParser {
 public:
  Parser(std::string_view source, const Limits& limits) : ExpressionParser(Lexer(source).tokens(), limits) {}

  Body parse() {
    Body body = statements({});
    if (!at_end()) syntax_error("unexpected '{}'", describe());
    return body;
  }
  bool has_generation() const { return has_generation_; }

 private:
  // Statements up to a tag that starts with one of the words, which is left to be read; up to the end without words.
  Body statements(std::initializer_list<std::string_view> until) {
    const Nesting nesting(*this);
    const int opened = line();
    Body body;
    while (!at_end()) {
      const int at = line();
      if (kind() == Token::Kind::data) {
        body.push_back({at, DataStatement{take().text}});
      } else if (kind() == Token::Kind::variable_begin) {
        take();
        body.push_back({at, PrintStatement{tuple(Conditionals::allowed)}});
        expect(Token::Kind::variable_end, "}}");
      } else {
        take();  // block_begin
        if (kind() != Token::Kind::name) syntax_error("expected the name of a tag, found '{}'", describe());
        for (const std::string_view word : until)
          if (is_name(word)) return body;
        statement(body, at);
      }
    }
    if (until.size() != 0)
      fail_at(opened, "chat_template.syntax", "a block that begins here is not closed; expected '{{% {} %}}'",
              *(until.end() - 1));
    return body;
  }

  void end_tag() { expect(Token::Kind::block_end, "%}"); }

  // The body of a block and its end tag.
  Body block(std::string_view end) {
    end_tag();
    Body body = statements({end});
    take();
    end_tag();
    return body;
  }

  void statement(Body& body, int at) {
    const std::string tag = take().text;
    if (tag == "if") {
      body.push_back({at, if_statement()});
    } else if (tag == "for") {
      body.push_back({at, for_statement()});
    } else if (tag == "set") {
      set_statement(body, at);
    } else if (tag == "macro") {
      MacroStatement macro;
      macro.name = take_name();
      parameters(macro);
      macro.body = block("endmacro");
      body.push_back({at, std::move(macro)});
    } else if (tag == "call") {
      CallBlockStatement call;
      call.caller.name = "caller";
      if (is_symbol("(")) parameters(call.caller);
      call.call = expression();
      if (!std::holds_alternative<CallExpression>(call.call->form)) syntax_error("a call block needs a call");
      call.caller.body = block("endcall");
      body.push_back({at, std::move(call)});
    } else if (tag == "filter") {
      ExpressionPointer chain = filter_chain();
      body.push_back({at, FilterBlockStatement{std::move(chain), block("endfilter")}});
    } else if (tag == "with") {
      body.push_back({at, with_statement()});
    } else if (tag == "generation") {
      has_generation_ = true;
      body.push_back({at, GenerationStatement{block("endgeneration")}});
    } else if (tag == "break") {
      end_tag();
      body.push_back({at, BreakStatement{}});
    } else if (tag == "continue") {
      end_tag();
      body.push_back({at, ContinueStatement{}});
    } else {
      fail_at(at, "chat_template.syntax", "unknown tag '{}'", tag);
    }
  }

  IfStatement if_statement() {
    IfStatement result;
    ExpressionPointer condition = tuple(Conditionals::refused);
    while (true) {
      end_tag();
      Body body = condition ? statements({"elif", "else", "endif"}) : statements({"endif"});
      result.branches.emplace_back(std::move(condition), std::move(body));
      const std::string tag = take().text;
      if (tag == "endif") break;
      condition = tag == "elif" ? tuple(Conditionals::refused) : nullptr;
    }
    end_tag();
    return result;
  }

  ForStatement for_statement() {
    ForStatement loop;
    loop.target = target_list();
    if (!is_name("in")) syntax_error("expected 'in', found '{}'", describe());
    take();
    loop.items = tuple(Conditionals::refused);
    if (is_name("if")) {
      take();
      loop.condition = expression();
    }
    if (is_name("recursive")) syntax_error("recursive loops are not supported");
    end_tag();
    loop.body = statements({"else", "endfor"});
    if (take().text == "else") {
      end_tag();
      loop.otherwise = statements({"endfor"});
      take();
    }
    end_tag();
    return loop;
  }

  void set_statement(Body& body, int at) {
    Target target = target_list();
    if (is_symbol("=")) {
      take();
      ExpressionPointer value = tuple(Conditionals::allowed);
      end_tag();
      body.push_back({at, SetStatement{std::move(target), std::move(value)}});
      return;
    }
    ExpressionPointer filter;
    if (is_symbol("|")) {
      take();
      filter = filter_chain();
    }
    body.push_back({at, SetBlockStatement{std::move(target), std::move(filter), block("endset")}});
  }

  WithStatement with_statement() {
    WithStatement with;
    while (kind() != Token::Kind::block_end) {
      if (!with.bindings.empty()) expect_symbol(",");
      Target target = single_target();
      expect_symbol("=");
      with.bindings.emplace_back(std::move(target), expression());
    }
    with.body = block("endwith");
    return with;
  }

  void parameters(MacroStatement& macro) {
    expect_symbol("(");
    while (!is_symbol(")")) {
      if (!macro.parameters.empty()) expect_symbol(",");
      if (is_symbol(")")) break;
      std::string name = take_name();
      ExpressionPointer otherwise;
      if (is_symbol("=")) {
        take();
        otherwise = expression();
      } else if (!macro.parameters.empty() && macro.parameters.back().second) {
        syntax_error("parameter '{}' without a default follows one with a default", name);
      }
      macro.parameters.emplace_back(std::move(name), std::move(otherwise));
    }
    take();
  }

  // a, (b, c), namespace.field
  Target target_list() {
    Target first = single_target();
    if (!is_symbol(",")) return first;
    Target list;
    list.parts.push_back(std::move(first));
    while (is_symbol(",")) {
      take();
      if (kind() != Token::Kind::name && !is_symbol("(")) break;
      if (is_name("in")) break;
      list.parts.push_back(single_target());
    }
    return list;
  }

  Target single_target() {
    const Nesting nesting(*this);
    if (is_symbol("(")) {
      take();
      Target inner = target_list();
      expect_symbol(")");
      return inner;
    }
    Target target;
    target.name = take_name();
    for (const std::string_view word : {"true", "false", "none", "True", "False", "None"})
      if (target.name == word) syntax_error("cannot assign to '{}'", word);
    if (is_symbol(".")) {
      take();
      target.field = take_name();
    }
    return target;
  }

  bool has_generation_ = false;
};

}  // namespace temper::templates
