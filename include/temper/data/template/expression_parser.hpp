// SPDX-License-Identifier: MIT
// Jinja's grammar of operators, by recursive descent: inline if, or, and, not, comparisons, + -, ~, * / // %, **,
// signs.
#pragma once
#include "temper/data/template/operand_parser.hpp"

#include <utility>

namespace temper::templates {

class ExpressionParser : protected OperandParser {
 protected:
  using OperandParser::OperandParser;

  ExpressionPointer expression(Conditionals conditionals = Conditionals::allowed) override {
    const Nesting nesting(*this);
    const std::size_t known_until = unknown_.size();
    ExpressionPointer value = logical(false);
    while (conditionals == Conditionals::allowed && is_name("if")) {
      const Position at = place();
      take();
      ExpressionPointer condition = logical(false);
      ExpressionPointer otherwise;
      if (is_name("else")) {
        take();
        otherwise = expression();
      }
      value = make(at, ConditionalExpression{std::move(condition), std::move(value), std::move(otherwise)});
      forgive_unknown(known_until);
    }
    return value;
  }

 private:
  ExpressionPointer logical(bool conjunction) {
    const Position at = place();
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
    const Position at = place();
    take();
    return make(at, UnaryExpression{'!', negation()});
  }

  ExpressionPointer comparison() {
    const Position at = place();
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
      const Position at = place();
      std::string sign = take().text;
      left = make(at, BinaryExpression{std::move(sign), std::move(left), concatenation()});
    }
    return left;
  }

  ExpressionPointer concatenation() {
    const Position at = place();
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
      const Position at = place();
      std::string sign = take().text;
      left = make(at, BinaryExpression{std::move(sign), std::move(left), power()});
    }
    return left;
  }

  ExpressionPointer power() {
    ExpressionPointer left = signed_operand(Filters::allowed);
    while (is_symbol("**")) {
      const Position at = place();
      std::string sign = take().text;
      left = make(at, BinaryExpression{std::move(sign), std::move(left), signed_operand(Filters::allowed)});
    }
    return left;
  }

  ExpressionPointer signed_operand(Filters suffixes) {
    const Nesting nesting(*this);
    const Position at = place();
    ExpressionPointer value;
    if (is_symbol("-") || is_symbol("+")) {
      const char sign = take().text[0];
      value = make(at, UnaryExpression{sign, signed_operand(Filters::refused)});
    } else {
      value = postfix(primary());
    }
    return suffixes == Filters::allowed ? filters_and_tests(std::move(value)) : std::move(value);
  }
};

}  // namespace temper::templates
