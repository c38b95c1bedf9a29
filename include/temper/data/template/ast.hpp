// SPDX-License-Identifier: MIT
// The tree of a chat template: expressions and statements as plain structs, one alternative each. Chains of 'and',
// 'or', '~' and comparisons are lists, so that depth is what the template nests and not how long it is.
#pragma once
#include "temper/data/template/limits.hpp"
#include "temper/data/template/value.hpp"

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace temper::templates {

struct Expression;
struct Statement;
using ExpressionPointer = std::unique_ptr<Expression>;
using Body = std::vector<Statement>;

struct Call {  // what stands in parentheses
  std::vector<ExpressionPointer> positional;
  std::vector<std::pair<std::string, ExpressionPointer>> named;
  ExpressionPointer more_positional, more_named;  // *list and **mapping
};

struct ConstantExpression {
  Value value;
};
struct NameExpression {
  std::string name;
};
struct SequenceExpression {
  Sequence::Kind kind;
  std::vector<ExpressionPointer> items;
};
struct DictExpression {
  std::vector<std::pair<ExpressionPointer, ExpressionPointer>> entries;
};
struct UnaryExpression {
  char sign;  // '-', '+' or '!' for not
  ExpressionPointer operand;
};
struct BinaryExpression {
  std::string sign;  // + - * / // % **
  ExpressionPointer left, right;
};
struct LogicalExpression {
  bool conjunction;
  std::vector<ExpressionPointer> operands;
};
struct CompareExpression {  // a < b == c: every link must hold
  ExpressionPointer first;
  std::vector<std::pair<std::string, ExpressionPointer>> rest;  // == != < <= > >= in not-in
};
struct ConcatExpression {
  std::vector<ExpressionPointer> parts;
};
struct ConditionalExpression {
  ExpressionPointer condition, then, otherwise;  // otherwise may be null
};
struct AttributeExpression {
  ExpressionPointer object;
  std::string name;
};
struct ItemExpression {
  ExpressionPointer object, key;
};
struct SliceExpression {
  ExpressionPointer object, start, stop, step;  // null where left out
};
struct CallExpression {
  ExpressionPointer function;
  Call call;
};
struct FilterExpression {
  ExpressionPointer subject;  // null in a filter block: the block's text
  std::string name;
  Call call;
};
struct TestExpression {
  ExpressionPointer subject;
  std::string name;
  bool negated;
  Call call;
};

struct Expression {
  Position at;
  int depth = 1;
  std::variant<ConstantExpression, NameExpression, SequenceExpression, DictExpression, UnaryExpression,
               BinaryExpression, LogicalExpression, CompareExpression, ConcatExpression, ConditionalExpression,
               AttributeExpression, ItemExpression, SliceExpression, CallExpression, FilterExpression, TestExpression>
      form;
};

// What 'set' and 'for' assign to: a name, a field of a namespace, or a list of these.
struct Target {
  std::string name, field;
  std::vector<Target> parts;
};

struct DataStatement {
  std::string text;
};
struct PrintStatement {
  ExpressionPointer value;
};
struct IfStatement {
  std::vector<std::pair<ExpressionPointer, Body>> branches;  // a null condition is 'else'
};
struct ForStatement {
  Target target;
  ExpressionPointer items, condition;
  Body body, otherwise;
  bool recursive = false;  // 'loop(items)' renders the loop again
};
struct SetStatement {
  Target target;
  ExpressionPointer value;
};
struct SetBlockStatement {
  Target target;
  ExpressionPointer filter;  // null: none
  Body body;
};
struct MacroStatement {
  std::string name;
  std::vector<std::pair<std::string, ExpressionPointer>> parameters;  // with their defaults, or null
  Body body;
  bool takes_more = false, takes_more_named = false, takes_caller = false;  // it reads varargs, kwargs, caller
};
struct CallBlockStatement {
  MacroStatement caller;
  ExpressionPointer call;
};
struct FilterBlockStatement {
  ExpressionPointer filter;
  Body body;
};
struct WithStatement {
  std::vector<std::pair<Target, ExpressionPointer>> bindings;
  Body body;
};
struct GenerationStatement {
  Body body;
};
struct BreakStatement {};
struct ContinueStatement {};

struct Statement {
  Position at;
  std::variant<DataStatement, PrintStatement, IfStatement, ForStatement, SetStatement, SetBlockStatement,
               MacroStatement, CallBlockStatement, FilterBlockStatement, WithStatement, GenerationStatement,
               BreakStatement, ContinueStatement>
      form;
};

}  // namespace temper::templates
