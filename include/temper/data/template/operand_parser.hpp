// SPDX-License-Identifier: MIT
// The operands of Jinja's expressions: names, literals and parentheses with what follows them: .attribute [item] (call)
// |filter 'is' test. A filter or test that does not exist is an error before rendering, unless it stands behind a
// condition, as in Jinja.
#pragma once
#include "temper/data/template/ast.hpp"
#include "temper/data/template/filters.hpp"
#include "temper/data/template/token_stream.hpp"

#include <algorithm>
#include <utility>

namespace temper::templates {

class OperandParser : protected TokenStream {
 public:
  virtual ~OperandParser() = default;

 protected:
  enum class Conditionals { allowed, refused };  // whether 'a if b else c' may stand here without parentheses
  enum class Filters { allowed, refused };

  using TokenStream::TokenStream;

  virtual ExpressionPointer expression(Conditionals conditionals = Conditionals::allowed) = 0;

  // One expression, or several with commas as a tuple.
  ExpressionPointer tuple(Conditionals conditionals) {
    const Position at = place();
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

  // What macros read beside their parameters; each macro that is being read has one.
  struct SpecialNames {
    bool varargs = false, kwargs = false, caller = false;
  };
  std::vector<SpecialNames> special_names_;

  // Filters and tests that do not exist. Those behind a condition are left to rendering.
  struct Unknown {
    Position at;
    std::string_view what;
    std::string name;
    bool certain = false;  // in a block of its own, where a condition around it does not count
  };
  std::vector<Unknown> unknown_;

  void forgive_unknown(std::size_t since) {
    const auto begin = unknown_.begin() + static_cast<std::ptrdiff_t>(since);
    unknown_.erase(std::remove_if(begin, unknown_.end(), [](const Unknown& name) { return !name.certain; }),
                   unknown_.end());
  }
  void make_unknown_certain(std::size_t since) {
    for (std::size_t i = since; i < unknown_.size(); ++i) unknown_[i].certain = true;
  }

  template <class Form>
  ExpressionPointer make(Position at, Form form) {
    auto expression = std::make_unique<Expression>();
    expression->at = at;
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

  ExpressionPointer constant(Position at, Value value) { return make(at, ConstantExpression{std::move(value)}); }

  ExpressionPointer primary() {
    const Position at = place();
    if (kind() == Token::Kind::name) {
      std::string name = take().text;
      if (name == "true" || name == "True") return constant(at, Value(true));
      if (name == "false" || name == "False") return constant(at, Value(false));
      if (name == "none" || name == "None") return constant(at, Value(None{}));
      for (SpecialNames& names : special_names_) {
        names.varargs = names.varargs || name == "varargs";
        names.kwargs = names.kwargs || name == "kwargs";
        names.caller = names.caller || name == "caller";
      }
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
    const Position at = place();
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
    const Position at = place();
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
    const Position at = place();
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
      const Position at = value->at;
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
    const Position at = value->at;
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
        if (result.more_named) syntax_error("a named argument follows '**'");
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
      const Position at = place();
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
    const Position at = place();
    const Position named_at = place();
    std::string name = dotted_name();
    if (!is_filter_name(name)) unknown_.push_back({named_at, "filter", name});
    Call arguments;
    if (is_symbol("(")) arguments = call();
    return make(at, FilterExpression{std::move(subject), std::move(name), std::move(arguments)});
  }

  ExpressionPointer test(ExpressionPointer subject) {
    const Position at = place();
    bool negated = false;
    if (is_name("not")) {
      take();
      negated = true;
    }
    const Position named_at = place();
    std::string name = dotted_name();
    if (!is_test_name(name)) unknown_.push_back({named_at, "test", name});
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
