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
    if (!unknown_.empty())
      fail_at(unknown_[0].at, "chat_template.syntax", "no {} named '{}'", unknown_[0].what, unknown_[0].name);
    return body;
  }
  bool has_generation() const { return has_generation_; }

 private:
  // Statements up to a tag that starts with one of the words, which is left to be read; up to the end without words.
  Body statements(std::initializer_list<std::string_view> until) {
    const Nesting nesting(*this);
    const Position opened = place();
    Body body;
    while (!at_end()) {
      const Position at = place();
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

  // The end of a tag that opens a block; Jinja lets a colon stand before it.
  void open_block() {
    if (is_symbol(":")) take();
    end_tag();
  }

  enum class Loops { kept, left };  // whether 'break' may leave the loop around the block

  // The body of a block and its end tag.
  Body block(std::string_view end, Loops loops = Loops::kept) {
    open_block();
    const int outer = std::exchange(loops_, loops == Loops::left ? 0 : loops_);
    const std::size_t known_until = unknown_.size();
    Body body = statements({end});
    make_unknown_certain(known_until);
    loops_ = outer;
    take();
    end_tag();
    return body;
  }

  void statement(Body& body, Position at) {
    static constexpr std::string_view other_files[] = {"include", "import", "from", "extends", "block"};
    const std::string tag = take().text;
    if (tag == "if") {
      body.push_back({at, if_statement()});
    } else if (tag == "for") {
      body.push_back({at, for_statement()});
    } else if (tag == "set") {
      set_statement(body, at);
    } else if (tag == "print") {
      body.push_back({at, PrintStatement{tuple(Conditionals::allowed)}});
      end_tag();
    } else if (tag == "macro") {
      MacroStatement macro;
      macro.name = take_assigned_name();
      parameters(macro);
      macro_body(macro, "endmacro");
      body.push_back({at, std::move(macro)});
    } else if (tag == "call") {
      CallBlockStatement call;
      call.caller.name = "caller";
      if (is_symbol("(")) parameters(call.caller);
      call.call = expression();
      if (!std::holds_alternative<CallExpression>(call.call->form)) syntax_error("a call block needs a call");
      macro_body(call.caller, "endcall");
      body.push_back({at, std::move(call)});
    } else if (tag == "filter") {
      ExpressionPointer chain = filter_chain();
      body.push_back({at, FilterBlockStatement{std::move(chain), block("endfilter")}});
    } else if (tag == "with") {
      body.push_back({at, with_statement()});
    } else if (tag == "generation") {
      has_generation_ = true;
      body.push_back({at, GenerationStatement{block("endgeneration", Loops::left)}});
    } else if (tag == "break" || tag == "continue") {
      end_tag();
      if (loops_ == 0) fail_at(at, "chat_template.syntax", "'{}' stands outside a loop", tag);
      if (tag == "break")
        body.push_back({at, BreakStatement{}});
      else
        body.push_back({at, ContinueStatement{}});
    } else if (is_one_of(other_files, tag)) {
      fail_at(at, "chat_template.syntax", "'{}' is not supported: a chat template is one file", tag);
    } else if (tag == "autoescape" || tag == "do" || tag == "trans") {
      fail_at(at, "chat_template.syntax", "the tag '{}' is not supported", tag);
    } else {
      fail_at(at, "chat_template.syntax", "unknown tag '{}'", tag);
    }
  }

  IfStatement if_statement() {
    IfStatement result;
    const std::size_t known_until = unknown_.size();
    ExpressionPointer condition = tuple(Conditionals::refused);
    while (true) {
      open_block();
      Body body = condition ? statements({"elif", "else", "endif"}) : statements({"endif"});
      result.branches.emplace_back(std::move(condition), std::move(body));
      const std::string tag = take().text;
      if (tag == "endif") break;
      condition = tag == "elif" ? tuple(Conditionals::refused) : nullptr;
    }
    end_tag();
    forgive_unknown(known_until);
    return result;
  }

  ForStatement for_statement() {
    ForStatement loop;
    loop.target = target_list();
    if (names_loop(loop.target)) syntax_error("cannot assign to 'loop', which is the loop's own");
    if (!is_name("in")) syntax_error("expected 'in', found '{}'", describe());
    take();
    loop.items = tuple(Conditionals::refused);
    if (is_name("if")) {
      take();
      loop.condition = expression();
    }
    if (is_name("recursive")) {
      take();
      loop.recursive = true;
    }
    open_block();
    const std::size_t known_until = unknown_.size();
    ++loops_;
    loop.body = statements({"else", "endfor"});
    --loops_;
    if (take().text == "else") {
      open_block();
      loop.otherwise = statements({"endfor"});
      take();
    }
    make_unknown_certain(known_until);
    end_tag();
    return loop;
  }

  static bool names_loop(const Target& target) {
    return target.name == "loop" || std::any_of(target.parts.begin(), target.parts.end(), names_loop);
  }

  void set_statement(Body& body, Position at) {
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
      std::string name = take_assigned_name();
      for (const auto& [known, otherwise] : macro.parameters)
        if (known == name) syntax_error("two parameters are named '{}'", name);
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

  // The body, and which of the special names it reads that are not its parameters.
  void macro_body(MacroStatement& macro, std::string_view end) {
    special_names_.emplace_back();
    macro.body = block(end, Loops::left);
    const SpecialNames read = special_names_.back();
    special_names_.pop_back();
    const auto parameter = [&](std::string_view name) {
      return std::find_if(macro.parameters.begin(), macro.parameters.end(),
                          [&](const auto& held) { return held.first == name; });
    };
    const auto none = macro.parameters.end();
    macro.takes_more = read.varargs && parameter("varargs") == none;
    macro.takes_more_named = read.kwargs && parameter("kwargs") == none;
    macro.takes_caller = read.caller && parameter("caller") == none;
    if (read.caller && !macro.takes_caller && !parameter("caller")->second)
      syntax_error("the parameter 'caller' of macro '{}' needs a default", macro.name);
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
    target.name = take_assigned_name();
    if (is_symbol(".")) {
      take();
      target.field = take_name();
    }
    return target;
  }

  std::string take_assigned_name() {
    static constexpr std::string_view constants[] = {"true", "false", "none", "True", "False", "None"};
    if (kind() == Token::Kind::name && is_one_of(constants, token().text))
      syntax_error("cannot assign to '{}'", token().text);
    return take_name();
  }

  int loops_ = 0;
  bool has_generation_ = false;
};

}  // namespace temper::templates
