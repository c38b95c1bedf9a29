// SPDX-License-Identifier: MIT
// Jinja's grammar of expressions, by recursive descent: inline if, or, and, not, comparisons, + -, ~, * / // %, **,
// signs, then names and literals with what follows them: .attribute [item] (call) |filter 'is' test.
#pragma once
#include "temper/data/template/ast.hpp"
#include "temper/data/template/token_stream.hpp"

#include <algorithm>
#include <utility>

namespace temper::templates {

class ExpressionParser : protected TokenStream {
 protected:
  enum class Conditionals { allowed, refused };  // whether 'a if b else c' may stand here without parentheses
  enum class Filters { allowed, refused };

  using TokenStream::TokenStream;

  ExpressionPointer expression(Conditionals conditionals = Conditionals::allowed) {
    const Nesting nesting(*this);
    ExpressionPointer value = logical(false);
    while (conditionals == Conditionals::allowed && is_name("if")) {
      const int at = line();
      take();
      ExpressionPointer condition = logical(false);
      ExpressionPointer otherwise;
      if (is_name("else")) {
        take();
        otherwise = expression();
      }
      value = make(at, ConditionalExpression{std::move(condition), std::move(value), std::move(otherwise)});
    }
    return value;
  }

  // One expression, or several with commas as a tuple.
  ExpressionPointer tuple(Conditionals conditionals) {
    const int at = line();
    ExpressionPointer first = expression(conditionals);
    if (!is_symbol(",")) return first;
    SequenceExpression items{Sequence::Kind::tuple, {}};
    items.items.push_back(std::move(first));
    while (is_symbol(",")) {
      take();
      if (kind() == Token::Kind::block_end || kind() == Token::Kind::variable_end || is_symbol(")")) break;
      items.items.push_back(expression(conditionals));
    }
    return make(at, std::move(items));
  }

  // name(arguments)|name(arguments)... on a subject that the renderer gives.
  ExpressionPointer filter_chain() {
    ExpressionPointer chain = filter(nullptr);
    while (is_symbol("|")) {
      take();
      chain = filter(std::move(chain));
    }
    return chain;
  }

 private:
  template <class Form>
  ExpressionPointer make(int at, Form form) {
    auto expression = std::make_unique<Expression>();
    expression->line = at;
    int depth = 0;
    const auto look = [&depth](const ExpressionPointer& child) {
      if (child) depth = std::max(depth, child->depth);
    };
    children(form, look);
    expression->depth = depth + 1;
    if (depth >= limits().parse_depth)
      fail_at(at, "chat_template.limit", "an expression is nested deeper than {} levels", limits().parse_depth);
    expression->form = std::move(form);
    return expression;
  }

  template <class Look>
  static void children(const Call& call, Look look) {
    for (const auto& child : call.positional) look(child);
    for (const auto& [name, child] : call.named) look(child);
    look(call.more_positional), look(call.more_named);
  }
  template <class Form, class Look>
  static void children(const Form& form, Look look) {
    if constexpr (requires { form.object; }) look(form.object);
    if constexpr (requires { form.key; }) look(form.key);
    if constexpr (requires { form.start; }) look(form.start), look(form.stop), look(form.step);
    if constexpr (requires { form.operand; }) look(form.operand);
    if constexpr (requires { form.left; }) look(form.left), look(form.right);
    if constexpr (requires { form.condition; }) look(form.condition), look(form.then), look(form.otherwise);
    if constexpr (requires { form.subject; }) look(form.subject);
    if constexpr (requires { form.function; }) look(form.function);
    if constexpr (requires { form.call; }) children(form.call, look);
    if constexpr (requires { form.first; }) look(form.first);
    if constexpr (requires { form.items; })
      for (const auto& child : form.items) look(child);
    if constexpr (requires { form.operands; })
      for (const auto& child : form.operands) look(child);
    if constexpr (requires { form.parts; })
      for (const auto& child : form.parts) look(child);
    if constexpr (requires { form.rest; })
      for (const auto& [sign, child] : form.rest) look(child);
    if constexpr (requires { form.entries; })
      for (const auto& [key, child] : form.entries) look(key), look(child);
  }

  ExpressionPointer logical(bool conjunction) {
    const int at = line();
    const std::string_view word = conjunction ? "and" : "or";
    ExpressionPointer first = conjunction ? negation() : logical(true);
    if (!is_name(word)) return first;
    LogicalExpression result{conjunction, {}};
    result.operands.push_back(std::move(first));
    while (is_name(word)) {
      take();
      result.operands.push_back(conjunction ? negation() : logical(true));
    }
    return make(at, std::move(result));
  }

  ExpressionPointer negation() {
    if (!is_name("not")) return comparison();
    const Nesting nesting(*this);
    const int at = line();
    take();
    return make(at, UnaryExpression{'!', negation()});
  }

  ExpressionPointer comparison() {
    const int at = line();
    CompareExpression result{sum(), {}};
    while (true) {
      std::string sign;
      for (const std::string_view symbol : {"==", "!=", "<", "<=", ">", ">="})
        if (is_symbol(symbol)) sign = symbol;
      if (is_name("in")) sign = "in";
      if (is_name("not") && after().kind == Token::Kind::name && after().text == "in") {
        take();
        sign = "not in";
      }
      if (sign.empty()) break;
      take();
      result.rest.emplace_back(std::move(sign), sum());
    }
    if (result.rest.empty()) return std::move(result.first);
    return make(at, std::move(result));
  }

  ExpressionPointer sum() {
    ExpressionPointer left = concatenation();
    while (is_symbol("+") || is_symbol("-")) {
      const int at = line();
      std::string sign = take().text;
      left = make(at, BinaryExpression{std::move(sign), std::move(left), concatenation()});
    }
    return left;
  }

  ExpressionPointer concatenation() {
    const int at = line();
    ExpressionPointer first = product();
    if (!is_symbol("~")) return first;
    ConcatExpression result;
    result.parts.push_back(std::move(first));
    while (is_symbol("~")) {
      take();
      result.parts.push_back(product());
    }
    return make(at, std::move(result));
  }

  ExpressionPointer product() {
    ExpressionPointer left = power();
    while (is_symbol("*") || is_symbol("/") || is_symbol("//") || is_symbol("%")) {
      const int at = line();
      std::string sign = take().text;
      left = make(at, BinaryExpression{std::move(sign), std::move(left), power()});
    }
    return left;
  }

  ExpressionPointer power() {
    ExpressionPointer left = signed_operand(Filters::allowed);
    while (is_symbol("**")) {
      const int at = line();
      std::string sign = take().text;
      left = make(at, BinaryExpression{std::move(sign), std::move(left), signed_operand(Filters::allowed)});
    }
    return left;
  }

  ExpressionPointer signed_operand(Filters filters) {
    const Nesting nesting(*this);
    const int at = line();
    ExpressionPointer value;
    if (is_symbol("-") || is_symbol("+")) {
      const char sign = take().text[0];
      value = make(at, UnaryExpression{sign, signed_operand(Filters::refused)});
    } else {
      value = postfix(primary());
    }
    return filters == Filters::allowed ? filters_and_tests(std::move(value)) : std::move(value);
  }

  ExpressionPointer constant(int at, Value value) { return make(at, ConstantExpression{std::move(value)}); }

  ExpressionPointer primary() {
    const int at = line();
    if (kind() == Token::Kind::name) {
      std::string name = take().text;
      if (name == "true" || name == "True") return constant(at, Value(true));
      if (name == "false" || name == "False") return constant(at, Value(false));
      if (name == "none" || name == "None") return constant(at, Value(None{}));
      return make(at, NameExpression{std::move(name)});
    }
    if (kind() == Token::Kind::string) {
      std::string text = take().text;
      while (kind() == Token::Kind::string) text += take().text;
      return constant(at, Value(std::move(text)));
    }
    if (kind() == Token::Kind::integer) return constant(at, Value(take().integer));
    if (kind() == Token::Kind::real) return constant(at, Value(take().real));
    if (is_symbol("(")) return parentheses();
    if (is_symbol("[")) return list();
    if (is_symbol("{")) return dict();
    syntax_error("expected an expression, found '{}'", describe());
  }

  ExpressionPointer parentheses() {
    const int at = line();
    take();
    if (is_symbol(")")) {
      take();
      return make(at, SequenceExpression{Sequence::Kind::tuple, {}});
    }
    ExpressionPointer inner = tuple(Conditionals::allowed);
    expect_symbol(")");
    return inner;
  }

  ExpressionPointer list() {
    const int at = line();
    take();
    SequenceExpression result{Sequence::Kind::list, {}};
    while (!is_symbol("]")) {
      if (!result.items.empty()) expect_symbol(",");
      if (is_symbol("]")) break;
      result.items.push_back(expression());
    }
    take();
    return make(at, std::move(result));
  }

  ExpressionPointer dict() {
    const int at = line();
    take();
    DictExpression result;
    while (!is_symbol("}")) {
      if (!result.entries.empty()) expect_symbol(",");
      if (is_symbol("}")) break;
      ExpressionPointer key = expression();
      expect_symbol(":");
      result.entries.emplace_back(std::move(key), expression());
    }
    take();
    return make(at, std::move(result));
  }

  ExpressionPointer postfix(ExpressionPointer value) {
    while (true) {
      const int at = line();
      if (is_symbol(".")) {
        take();
        if (kind() == Token::Kind::integer) {
          value = make(at, ItemExpression{std::move(value), constant(at, Value(take().integer))});
        } else {
          std::string name = take_name();
          value = make(at, AttributeExpression{std::move(value), std::move(name)});
        }
      } else if (is_symbol("[")) {
        value = item(std::move(value));
      } else if (is_symbol("(")) {
        value = make(at, CallExpression{std::move(value), call()});
      } else {
        return value;
      }
    }
  }

  ExpressionPointer item(ExpressionPointer value) {
    const int at = line();
    take();
    ExpressionPointer start, stop, step;
    if (!is_symbol(":")) {
      start = tuple(Conditionals::allowed);
      if (is_symbol("]")) {
        take();
        return make(at, ItemExpression{std::move(value), std::move(start)});
      }
    }
    expect_symbol(":");
    if (!is_symbol(":") && !is_symbol("]")) stop = expression();
    if (is_symbol(":")) {
      take();
      if (!is_symbol("]")) step = expression();
    }
    expect_symbol("]");
    return make(at, SliceExpression{std::move(value), std::move(start), std::move(stop), std::move(step)});
  }

  Call call() {
    Call result;
    expect_symbol("(");
    bool first = true;
    while (!is_symbol(")")) {
      if (!first) expect_symbol(",");
      first = false;
      if (is_symbol(")")) break;
      if (is_symbol("*") && !result.more_positional && !result.more_named) {
        take();
        result.more_positional = expression();
      } else if (is_symbol("**") && !result.more_named) {
        take();
        result.more_named = expression();
      } else if (kind() == Token::Kind::name && after().kind == Token::Kind::symbol && after().text == "=") {
        std::string name = take().text;
        take();
        result.named.emplace_back(std::move(name), expression());
      } else {
        if (!result.named.empty() || result.more_positional || result.more_named)
          syntax_error("a positional argument follows a named one");
        result.positional.push_back(expression());
      }
    }
    take();
    return result;
  }

  ExpressionPointer filters_and_tests(ExpressionPointer value) {
    while (true) {
      const int at = line();
      if (is_symbol("|")) {
        take();
        value = filter(std::move(value));
      } else if (is_name("is")) {
        take();
        value = test(std::move(value));
      } else if (is_symbol("(")) {  // after a filter or a test
        value = make(at, CallExpression{std::move(value), call()});
      } else {
        return value;
      }
    }
  }

  ExpressionPointer filter(ExpressionPointer subject) {
    const int at = line();
    std::string name = dotted_name();
    Call arguments;
    if (is_symbol("(")) arguments = call();
    return make(at, FilterExpression{std::move(subject), std::move(name), std::move(arguments)});
  }

  ExpressionPointer test(ExpressionPointer subject) {
    const int at = line();
    bool negated = false;
    if (is_name("not")) {
      take();
      negated = true;
    }
    std::string name = dotted_name();
    Call arguments;
    const bool operand_follows = kind() == Token::Kind::name || kind() == Token::Kind::string ||
                                 kind() == Token::Kind::integer || kind() == Token::Kind::real || is_symbol("[") ||
                                 is_symbol("{");
    const bool word_follows = is_name("else") || is_name("or") || is_name("and");
    if (is_symbol("(")) {
      arguments = call();
    } else if (operand_follows && !word_follows) {
      if (is_name("is")) syntax_error("tests cannot be chained with 'is'");
      const Nesting nesting(*this);
      arguments.positional.push_back(postfix(primary()));
    }
    return make(at, TestExpression{std::move(subject), std::move(name), negated, std::move(arguments)});
  }

  std::string dotted_name() {
    std::string name = take_name();
    while (is_symbol(".")) {
      take();
      name += "." + take_name();
    }
    return name;
  }
};

}  // namespace temper::templates
