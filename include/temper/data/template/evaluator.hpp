// SPDX-License-Identifier: MIT
// Evaluates the expressions of a chat template over scopes that nest as the template's blocks do.
#pragma once
#include "temper/data/template/ast.hpp"
#include "temper/data/template/filters.hpp"
#include "temper/data/template/strftime.hpp"

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

  // Macros render statements, which is the renderer's work.
  virtual Value call_macro(const Callable& macro, const Arguments& arguments) = 0;

  class Depth {
   public:
    explicit Depth(Evaluator& owner) : owner_(owner) {
      if (++owner_.depth_ > owner_.machine_.limits.evaluation_depth)
        fail_at(owner_.machine_.line, "chat_template.limit", "rendering nests deeper than {} levels",
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
    machine_.line = expression.line;
    return std::visit([this](const auto& form) { return value_of(form); }, expression.form);
  }
  bool holds(const Expression& expression) { return truth(evaluate(expression)); }

  Arguments arguments_of(const Call& call) {
    Arguments arguments;
    for (const auto& argument : call.positional) arguments.positional.push_back(evaluate(*argument));
    for (const auto& [name, argument] : call.named) arguments.named.emplace_back(name, evaluate(*argument));
    if (call.more_positional)
      for (Value& more : items_of(machine_, evaluate(*call.more_positional)))
        arguments.positional.push_back(std::move(more));
    if (call.more_named) {
      const Value more = evaluate(*call.more_named);
      if (!more.dict()) machine_.error("'**' needs a dict, found {}", type_name(more));
      for (const auto& [key, value] : more.dict()->entries)
        if (const Text* name = key.text()) arguments.named.emplace_back(name->bytes(), value);
    }
    return arguments;
  }

  Value call(const Value& function, const Arguments& arguments) {
    if (function.is_undefined()) undefined_error(machine_, function);
    const Callable* callable = function.callable();
    if (!callable) machine_.error("a {} cannot be called", type_name(function));
    if (callable->macro) return call_macro(*callable, arguments);
    if (!callable->self.is_undefined()) return call_method(machine_, callable->self, callable->name, arguments);
    return call_global(callable->name, arguments);
  }

  Value filtered(const FilterExpression& filter, const Value& subject) {
    const Arguments arguments = arguments_of(filter.call);
    return apply_filter(machine_, filter.name, subject, arguments);
  }

  Machine& machine_;
  std::shared_ptr<Frame> frame_;
  int depth_ = 0;

 private:
  Value value_of(const ConstantExpression& constant) { return constant.value; }

  Value value_of(const NameExpression& name) {
    for (const Frame* frame = frame_.get(); frame; frame = frame->parent.get())
      for (const auto& [known, value] : frame->variables)
        if (known == name.name) return value;
    static constexpr std::string_view globals[] = {"range", "dict", "namespace", "raise_exception", "strftime_now"};
    if (is_one_of(globals, name.name)) return Value(std::make_shared<const Callable>(Callable{name.name, {}, {}, {}}));
    return Value::undefined(fmt::format("'{}' is undefined", name.name));
  }

  Value value_of(const SequenceExpression& list) {
    std::vector<Value> items;
    for (const auto& item : list.items) items.push_back(evaluate(*item));
    return machine_.sequence(list.kind, std::move(items));
  }

  Value value_of(const DictExpression& dict) {
    std::vector<std::pair<Value, Value>> entries;
    for (const auto& [key, value] : dict.entries) put(entries, evaluate(*key), evaluate(*value));
    return machine_.dict(std::move(entries));
  }

  // The last of equal keys counts, at the place of the first.
  void put(std::vector<std::pair<Value, Value>>& entries, Value key, Value value) {
    if (key.dict() || (key.sequence() && key.sequence()->kind != Sequence::Kind::tuple))
      machine_.error("a {} cannot be a key", type_name(key));
    machine_.charge(entries.size());
    for (auto& [known, held] : entries)
      if (equal(known, key)) return void(held = std::move(value));
    entries.emplace_back(std::move(key), std::move(value));
  }

  Value value_of(const UnaryExpression& unary) {
    if (unary.sign == '!') return Value(!holds(*unary.operand));
    const Value operand = evaluate(*unary.operand);
    if (operand.is_undefined()) undefined_error(machine_, operand);
    if (const auto number = as_integer(operand))
      return integer_arithmetic(machine_, '*', *number, unary.sign == '-' ? -1 : 1);
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
    if (object.is_undefined()) undefined_error(machine_, object);
    if (auto found = field(object, attribute.name)) return *found;
    return item(machine_, object, Value(attribute.name));
  }

  Value value_of(const ItemExpression& subscript) {
    const Value object = evaluate(*subscript.object), key = evaluate(*subscript.key);
    Value found = item(machine_, object, key);
    if (!found.is_undefined() || !key.text()) return found;
    if (auto held = field(object, key.text()->bytes())) return *held;
    return found;
  }

  // What Python's getattr finds: a method, a field of a namespace, or what a loop knows.
  std::optional<Value> field(const Value& object, std::string_view name) {
    if (has_method(object, name))
      return Value(std::make_shared<const Callable>(Callable{std::string(name), object, nullptr, {}}));
    if (const Namespace* space = object.name_space())
      for (const auto& [known, value] : space->fields)
        if (known == name) return value;
    if (const Loop* loop = object.loop()) return loop_field(*loop, name);
    return std::nullopt;
  }

  static std::optional<Value> loop_field(const Loop& loop, std::string_view name) {
    const auto count = static_cast<std::int64_t>(loop.items.size()), at = static_cast<std::int64_t>(loop.index);
    if (name == "index") return Value(at + 1);
    if (name == "index0") return Value(at);
    if (name == "revindex") return Value(count - at);
    if (name == "revindex0") return Value(count - at - 1);
    if (name == "length") return Value(count);
    if (name == "first") return Value(at == 0);
    if (name == "last") return Value(at + 1 == count);
    if (name == "depth") return Value(std::int64_t{1});  // only recursive loops nest
    if (name == "depth0") return Value(std::int64_t{0});
    if (name == "previtem") return at > 0 ? loop.items[loop.index - 1] : Value::undefined("there is no previous item");
    if (name == "nextitem")
      return at + 1 < count ? loop.items[loop.index + 1] : Value::undefined("there is no next item");
    return std::nullopt;
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

  Value call_global(const std::string& name, const Arguments& arguments) {
    if (name == "range") return range(arguments);
    if (name == "namespace") {
      auto made = std::make_shared<Namespace>();
      for (const Value& source : arguments.positional) {
        if (!source.dict()) machine_.error("namespace: expected a dict, found {}", type_name(source));
        for (const auto& [key, value] : source.dict()->entries)
          if (const Text* text = key.text()) made->fields.emplace_back(text->bytes(), value);
      }
      for (const auto& field : arguments.named) made->fields.push_back(field);
      machine_.charge(64);
      machine_.namespaces.push_back(made);
      return Value(std::move(made));
    }
    if (name == "dict") {
      std::vector<std::pair<Value, Value>> entries;
      for (const Value& source : arguments.positional) {
        if (!source.dict()) machine_.error("dict: expected a dict, found {}", type_name(source));
        for (const auto& [key, value] : source.dict()->entries) put(entries, key, value);
      }
      for (const auto& [key, value] : arguments.named) put(entries, Value(key), value);
      return machine_.dict(std::move(entries));
    }
    if (arguments.positional.size() != 1) machine_.error("{} takes one argument", name);
    const Text text = to_text(machine_, arguments.positional[0]);
    if (name == "strftime_now") return machine_.text(Text(format_date(machine_, text.bytes())));
    fail_at(machine_.line, "chat_template.raised", "the template raised: {}", text.bytes());
  }

  Value range(const Arguments& arguments) {
    std::int64_t bounds[] = {0, 0, 1};
    const std::size_t count = arguments.positional.size();
    if (count < 1 || count > 3) machine_.error("range takes one to three arguments");
    for (std::size_t i = 0; i < count; ++i)
      bounds[count == 1 ? 1 : i] = optional_integer(machine_, &arguments.positional[i], 0, "range");
    const auto [start, stop, step] = bounds;
    if (step == 0) machine_.error("range: the step is zero");
    std::vector<Value> items;
    for (std::int64_t at = start; step > 0 ? at < stop : at > stop;) {
      items.emplace_back(at);
      if (items.size() > 100'000) fail_at(machine_.line, "chat_template.limit", "range: more than 100000 numbers");
      if (__builtin_add_overflow(at, step, &at)) break;
    }
    return machine_.sequence(Sequence::Kind::range, std::move(items));
  }
};

}  // namespace temper::templates
