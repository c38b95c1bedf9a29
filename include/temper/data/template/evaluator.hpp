// SPDX-License-Identifier: MIT
// Evaluates the expressions of a chat template over scopes that nest as the template's blocks do.
#pragma once
#include "temper/data/template/ast.hpp"
#include "temper/data/template/global_functions.hpp"

namespace temper::templates {

struct Frame {
  std::shared_ptr<Frame> parent;
  std::vector<std::pair<std::string, Value>> variables;

  void set(std::string_view name, Value value) {
    for (auto& [known, held] : variables)
      if (known == name) return void(held = std::move(value));
    variables.emplace_back(name, std::move(value));
  }
};

class Evaluator {
 public:
  virtual ~Evaluator() = default;

 protected:
  explicit Evaluator(Machine& machine) : machine_(machine) {}

  // Macros and loops that call themselves render statements, which is the renderer's work.
  virtual Value call_macro(const Callable& macro, const Arguments& arguments) = 0;
  virtual Value call_loop(const Loop& loop, const Arguments& arguments) = 0;

  class Depth {
   public:
    explicit Depth(Evaluator& owner) : owner_(owner) {
      if (++owner_.depth_ > owner_.machine_.limits.evaluation_depth)
        fail_at(owner_.machine_.at, "chat_template.limit", "rendering nests deeper than {} levels",
                owner_.machine_.limits.evaluation_depth);
    }
    ~Depth() { --owner_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;

   private:
    Evaluator& owner_;
  };

  Value evaluate(const Expression& expression) {
    const Depth depth(*this);
    machine_.charge(1);
    const Position outer = std::exchange(machine_.at, expression.at);
    Value value = std::visit([this](const auto& form) { return value_of(form); }, expression.form);
    machine_.at = outer;
    return value;
  }
  bool holds(const Expression& expression) { return truth(evaluate(expression)); }

  Arguments arguments_of(const Call& call) {
    Arguments arguments;
    for (const auto& argument : call.positional) arguments.positional.push_back(evaluate(*argument));
    for (const auto& [name, argument] : call.named) add_named(arguments, name, evaluate(*argument));
    if (call.more_positional)
      for (Value& more : items_of(machine_, evaluate(*call.more_positional)))
        arguments.positional.push_back(std::move(more));
    if (call.more_named) {
      const Value more = evaluate(*call.more_named);
      if (!more.dict()) machine_.error("'**' needs a dict, found {}", type_name(more));
      for (const auto& [key, value] : more.dict()->entries) {
        if (!key.text()) machine_.error("'**' needs strings as keys, found {}", type_name(key));
        add_named(arguments, key.text()->bytes(), value);
      }
    }
    return arguments;
  }

  Value call(const Value& function, const Arguments& arguments) {
    if (function.is_undefined()) undefined_error(machine_, function);
    if (const Loop* loop = function.loop()) return call_loop(*loop, arguments);
    if (Namespace* object = function.name_space(); object && object->kind == Namespace::Kind::joiner)
      return object->at++ == 0 ? Value(Text()) : object->held[0];
    const Callable* callable = function.callable();
    if (!callable) machine_.error("a {} cannot be called", type_name(function));
    if (callable->macro) return call_macro(*callable, arguments);
    if (!callable->self.is_undefined()) return call_method(machine_, callable->self, callable->name, arguments);
    return call_global(machine_, callable->name, arguments);
  }

  Value filtered(const FilterExpression& filter, const Value& subject) {
    const Arguments arguments = arguments_of(filter.call);
    return apply_filter(machine_, filter.name, subject, arguments);
  }

  Machine& machine_;
  std::shared_ptr<Frame> frame_;
  int depth_ = 0;

 private:
  void add_named(Arguments& arguments, const std::string& name, Value value) {
    machine_.charge(arguments.named.size());
    for (const auto& [known, held] : arguments.named)
      if (known == name) machine_.error("the argument '{}' is given twice", name);
    arguments.named.emplace_back(name, std::move(value));
  }

  Value value_of(const ConstantExpression& constant) { return constant.value; }

  Value value_of(const NameExpression& name) {
    for (const Frame* frame = frame_.get(); frame; frame = frame->parent.get()) {
      machine_.charge(frame->variables.size() * 8);
      for (const auto& [known, value] : frame->variables)
        if (known == name.name) return value;
    }
    if (is_one_of(global_functions, name.name))
      return Value(std::make_shared<const Callable>(Callable{name.name, {}, {}, {}}));
    return Value::undefined(fmt::format("'{}' is undefined", name.name));
  }

  Value value_of(const SequenceExpression& list) {
    std::vector<Value> items;
    for (const auto& item : list.items) items.push_back(evaluate(*item));
    return machine_.sequence(list.kind, std::move(items));
  }

  Value value_of(const DictExpression& dict) {
    std::vector<std::pair<Value, Value>> entries;
    for (const auto& [key, value] : dict.entries) {
      Value evaluated = evaluate(*key);
      put(machine_, entries, std::move(evaluated), evaluate(*value));
    }
    return machine_.dict(std::move(entries));
  }

  Value value_of(const UnaryExpression& unary) {
    if (unary.sign == '!') return Value(!holds(*unary.operand));
    const Value operand = evaluate(*unary.operand);
    if (operand.is_undefined()) undefined_error(machine_, operand);
    if (const auto number = as_integer(operand))
      return integer_arithmetic(machine_, "*", *number, unary.sign == '-' ? -1 : 1);
    if (const double* number = operand.get<double>()) return Value(unary.sign == '-' ? -*number : *number);
    machine_.error("bad operand type for unary {}: '{}'", unary.sign, type_name(operand));
  }

  Value value_of(const BinaryExpression& binary) {
    const Value left = evaluate(*binary.left), right = evaluate(*binary.right);
    return arithmetic(machine_, binary.sign, left, right);
  }

  Value value_of(const LogicalExpression& logical) {
    Value last;
    for (const auto& operand : logical.operands) {
      last = evaluate(*operand);
      if (truth(last) != logical.conjunction) break;
    }
    return last;
  }

  Value value_of(const CompareExpression& comparison) {
    Value left = evaluate(*comparison.first);
    for (const auto& [sign, operand] : comparison.rest) {
      Value right = evaluate(*operand);
      if (!compare(machine_, sign, left, right)) return Value(false);
      left = std::move(right);
    }
    return Value(true);
  }

  Value value_of(const ConcatExpression& concat) {
    Text joined;
    for (const auto& part : concat.parts) joined.append(to_text(machine_, evaluate(*part)));
    return machine_.text(std::move(joined));
  }

  Value value_of(const ConditionalExpression& conditional) {
    if (holds(*conditional.condition)) return evaluate(*conditional.then);
    if (conditional.otherwise) return evaluate(*conditional.otherwise);
    return Value::undefined("the inline if-expression evaluated to false and no else section was defined");
  }

  Value value_of(const AttributeExpression& attribute) {
    const Value object = evaluate(*attribute.object);
    return get_attribute(machine_, object, attribute.name);
  }

  Value value_of(const ItemExpression& subscript) {
    const Value object = evaluate(*subscript.object), key = evaluate(*subscript.key);
    return get_item(machine_, object, key);
  }

  Value value_of(const SliceExpression& expression) {
    const Value object = evaluate(*expression.object);
    std::array<std::optional<std::int64_t>, 3> bounds;
    const ExpressionPointer* given[] = {&expression.start, &expression.stop, &expression.step};
    for (std::size_t i = 0; i < 3; ++i) {
      if (!*given[i]) continue;
      const Value bound = evaluate(**given[i]);
      if (bound.is_none()) continue;
      bounds[i] = as_integer(bound);
      if (!bounds[i]) machine_.error("a slice's bounds must be integers, found {}", type_name(bound));
    }
    return slice(machine_, object, bounds);
  }

  Value value_of(const CallExpression& expression) {
    const Value function = evaluate(*expression.function);
    const Arguments arguments = arguments_of(expression.call);
    return call(function, arguments);
  }

  Value value_of(const FilterExpression& filter) {
    const Value subject = evaluate(*filter.subject);
    return filtered(filter, subject);
  }

  Value value_of(const TestExpression& test) {
    const Value subject = evaluate(*test.subject);
    const Arguments arguments = arguments_of(test.call);
    return Value(apply_test(machine_, test.name, subject, arguments) != test.negated);
  }
};

}  // namespace temper::templates
