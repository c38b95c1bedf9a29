// SPDX-License-Identifier: MIT
// Executes the statements of a chat template. What is written while a loop stands at a message is that message's (its
// author), so that the rendered text can be divided by turns without searching it.
#pragma once
#include "temper/data/template/evaluator.hpp"

namespace temper::templates {

class Renderer : private Evaluator {
 public:
  Renderer(Machine& machine, std::vector<std::pair<std::string, Value>> variables) : Evaluator(machine) {
    frame_ = std::make_shared<Frame>();
    frame_->variables = std::move(variables);
  }
  ~Renderer() override {
    for (const auto& space : machine_.namespaces) {
      space->fields.clear();  // they may hold themselves
      space->held.clear();
    }
    frame_->variables.clear();
  }
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;

  Text render(const Body& body) {
    Text out;
    out_ = &out;
    {
      const Scope scope(*this, frame_);
      execute(body);
    }
    return out;
  }

 private:
  enum class Flow : std::uint8_t { next, leave_loop, next_iteration };

  // A new scope for as long as it lives. Variables are dropped at its end: a macro that outlives it would make a cycle.
  class Scope {
   public:
    Scope(Renderer& owner, std::shared_ptr<Frame> parent) : owner_(owner), outer_(owner.frame_) {
      owner_.frame_ = std::make_shared<Frame>();
      owner_.frame_->parent = std::move(parent);
    }
    ~Scope() {
      owner_.frame_->variables.clear();
      owner_.frame_ = std::move(outer_);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Renderer& owner_;
    std::shared_ptr<Frame> outer_;
  };

  // Sends what is written into a text of its own for as long as it lives.
  class Capture {
   public:
    explicit Capture(Renderer& owner) : owner_(owner), outer_(owner.out_) { owner_.out_ = &text; }
    ~Capture() { owner_.out_ = outer_; }
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;
    Text text;

   private:
    Renderer& owner_;
    Text* outer_;
  };

  // A loop that something may still hold when it is over, and that then must hold nothing itself.
  struct LoopHolder {
    explicit LoopHolder(std::shared_ptr<Loop> held) : loop(std::move(held)) {}
    ~LoopHolder() {
      loop->last_changed.reset();
      loop->scope.reset();
      loop->statement = nullptr;
    }
    LoopHolder(const LoopHolder&) = delete;
    LoopHolder& operator=(const LoopHolder&) = delete;
    std::shared_ptr<Loop> loop;
  };

  // Counts how deep macros have called one another for as long as it lives.
  class MacroDepth {
   public:
    explicit MacroDepth(Renderer& owner) : owner_(owner) {
      const int most = owner.machine_.limits.macro_depth;
      if (owner.macro_depth_ >= most)
        fail_at(owner.machine_.at, "chat_template.limit", "macros call one another deeper than {} levels", most);
      ++owner.macro_depth_;
    }
    ~MacroDepth() { --owner_.macro_depth_; }
    MacroDepth(const MacroDepth&) = delete;
    MacroDepth& operator=(const MacroDepth&) = delete;

   private:
    Renderer& owner_;
  };

  // Restores a value at the end of a block, also when an error leaves it.
  template <class T>
  class Restored {
   public:
    explicit Restored(T& place) : place_(place), held_(place) {}
    ~Restored() { place_ = held_; }
    Restored(const Restored&) = delete;
    Restored& operator=(const Restored&) = delete;

   private:
    T& place_;
    T held_;
  };

  void write(const Text& text) {
    machine_.charge(text.size());
    out_->append(text, writer_);
    if (out_->size() > machine_.limits.output_bytes)
      fail_at(machine_.at, "chat_template.limit", "more than {} bytes were written", machine_.limits.output_bytes);
  }

  Flow execute(const Body& body) {
    const Depth depth(*this);
    for (const Statement& statement : body) {
      machine_.charge(1);
      machine_.at = statement.at;
      const Flow flow = std::visit([this](const auto& form) { return execute(form); }, statement.form);
      if (flow != Flow::next) return flow;
    }
    return Flow::next;
  }

  Flow execute(const DataStatement& data) {
    machine_.charge(data.text.size());
    out_->append(data.text, writer_);
    return Flow::next;
  }

  Flow execute(const PrintStatement& print) {
    write(to_text(machine_, evaluate(*print.value)));
    return Flow::next;
  }

  Flow execute(const IfStatement& branches) {
    for (const auto& [condition, body] : branches.branches)
      if (!condition || holds(*condition)) return execute(body);
    return Flow::next;
  }

  Flow execute(const BreakStatement&) { return Flow::leave_loop; }
  Flow execute(const ContinueStatement&) { return Flow::next_iteration; }

  Flow execute(const ForStatement& statement) {
    return repeat(statement, items_of(machine_, evaluate(*statement.items)), 1);
  }

  Flow repeat(const ForStatement& statement, std::vector<Value> items, int depth) {
    if (statement.condition) keep_matching(statement, items);
    if (items.empty()) {
      const Scope scope(*this, frame_);
      return execute(statement.otherwise);
    }
    const Restored restored_writer(writer_);
    const Restored restored_open(author_open_);
    const LoopHolder holder(machine_.loop(std::move(items)));
    Loop& loop = *holder.loop;
    loop.depth = depth;
    if (statement.recursive) loop.statement = &statement, loop.scope = frame_;
    const Writer outer = writer_;
    for (loop.index = 0; loop.index < loop.items.size(); ++loop.index) {
      machine_.count_iteration();
      const Scope scope(*this, frame_);
      const Value item = loop.items[loop.index];
      const int author = author_of(item);
      writer_ = outer;
      if (author >= 0) writer_.author = author;
      author_open_ = author < 0;
      frame_->set("loop", Value(holder.loop));
      assign(statement.target, item);
      if (execute(statement.body) == Flow::leave_loop) break;
    }
    return Flow::next;
  }

  // 'loop(items)' in a recursive loop: the same loop over other items, as text.
  Value call_loop(const Loop& loop, const Arguments& arguments) override {
    const Given given(machine_, "loop", takes({"iterable"}, 1), arguments);
    if (!loop.statement) machine_.error("the loop is not 'recursive', so it cannot be called");
    const Depth depth(*this);
    const MacroDepth macro_depth(*this);
    const ForStatement& statement = *loop.statement;
    const int level = loop.depth + 1;
    const Position at = machine_.at;
    Capture capture(*this);
    const Scope scope(*this, loop.scope);
    repeat(statement, items_of(machine_, given.at(0)), level);
    machine_.at = at;
    return machine_.text(std::move(capture.text));
  }

  void keep_matching(const ForStatement& statement, std::vector<Value>& items) {
    std::vector<Value> kept;
    for (Value& item : items) {
      machine_.count_iteration();
      const Scope scope(*this, frame_);
      assign(statement.target, item);
      if (holds(*statement.condition)) kept.push_back(std::move(item));
    }
    items = std::move(kept);
  }

  static int author_of(const Value& item) {
    if (const Text* text = item.text()) return text->writer_at(0).content;
    return message_of(item);
  }

  void assign(const Target& target, const Value& value) {
    if (!target.parts.empty()) {
      const std::vector<Value> items = items_of(machine_, value);
      if (items.size() != target.parts.size())
        machine_.error("cannot unpack {} values into {} names", items.size(), target.parts.size());
      for (std::size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i]);
      return;
    }
    machine_.charge(frame_->variables.size() * 8);
    if (target.field.empty()) return frame_->set(target.name, value);
    Namespace* space = nullptr;
    for (const Frame* frame = frame_.get(); frame && !space; frame = frame->parent.get())
      for (const auto& [known, held] : frame->variables)
        if (known == target.name) space = held.name_space();
    if (!space || space->kind != Namespace::Kind::space)
      machine_.error("cannot assign to '{}.{}': not a namespace", target.name, target.field);
    require_public(machine_, target.field);
    machine_.charge(space->fields.size() * 8);
    for (auto& [known, held] : space->fields)
      if (known == target.field) return void(held = value);
    space->fields.emplace_back(target.field, value);
  }

  Flow execute(const SetStatement& set) {
    const Value value = evaluate(*set.value);
    // A loop over numbers that takes its message by index: from here on it stands at that message.
    const Dict* dict = value.dict();
    const bool moves = dict && dict->message >= 0 && (writer_.author < 0 || dict->whole_message);
    if (author_open_ && moves) writer_.author = dict->message;
    assign(set.target, value);
    return Flow::next;
  }

  Flow execute(const SetBlockStatement& set) {
    Value value;
    if (const Flow flow = capture(set.body, value); flow != Flow::next) return flow;
    if (set.filter) value = through(*set.filter, value);
    assign(set.target, value);
    return Flow::next;
  }

  Flow execute(const FilterBlockStatement& block) {
    Value value;
    if (const Flow flow = capture(block.body, value); flow != Flow::next) return flow;
    value = through(*block.filter, value);
    if (!value.text()) machine_.error("a filter block must make a string, found {}", type_name(value));
    write(to_text(machine_, value));
    return Flow::next;
  }

  // What the body writes, unless it leaves the loop around it.
  Flow capture(const Body& body, Value& value) {
    Capture capture(*this);
    const Scope scope(*this, frame_);
    const Flow flow = execute(body);
    value = machine_.text(std::move(capture.text));
    return flow;
  }

  // A chain of filters whose innermost one has no subject of its own.
  Value through(const Expression& chain, const Value& subject) {
    const Depth depth(*this);
    const auto& filter = std::get<FilterExpression>(chain.form);
    return filtered(filter, filter.subject ? through(*filter.subject, subject) : subject);
  }

  Flow execute(const WithStatement& with) {
    std::vector<Value> values;
    for (const auto& [target, expression] : with.bindings) values.push_back(evaluate(*expression));
    const Scope scope(*this, frame_);
    for (std::size_t i = 0; i < values.size(); ++i) assign(with.bindings[i].first, values[i]);
    return execute(with.body);
  }

  Flow execute(const GenerationStatement& generation) {
    const Restored restored(writer_);
    writer_.generation = generations_++;
    const Scope scope(*this, frame_);
    return execute(generation.body);
  }

  Flow execute(const MacroStatement& macro) {
    frame_->set(macro.name, Value(std::make_shared<const Callable>(Callable{macro.name, {}, &macro, frame_})));
    return Flow::next;
  }

  Flow execute(const CallBlockStatement& block) {
    const Value caller(std::make_shared<const Callable>(Callable{"caller", {}, &block.caller, frame_}));
    const auto& call_expression = std::get<CallExpression>(block.call->form);
    const Value function = evaluate(*call_expression.function);
    Arguments arguments = arguments_of(call_expression.call);
    arguments.named.emplace_back("caller", caller);
    write(to_text(machine_, call(function, arguments)));
    return Flow::next;
  }

  Value call_macro(const Callable& callable, const Arguments& arguments) override {
    const MacroStatement& macro = *callable.macro;
    const Depth depth(*this);
    const MacroDepth macro_depth(*this);
    const Position at = machine_.at;
    Capture capture(*this);
    const Scope scope(*this, callable.scope);
    bind(macro, arguments);
    execute(macro.body);
    machine_.at = at;
    return machine_.text(std::move(capture.text));
  }

  // As in Jinja, more arguments than parameters are an error unless the body reads 'varargs', 'kwargs' or 'caller'.
  void bind(const MacroStatement& macro, const Arguments& arguments) {
    const std::size_t count = macro.parameters.size(), given_count = arguments.positional.size();
    if (given_count > count && !macro.takes_more)
      machine_.error("macro '{}' takes at most {} arguments, {} were given", macro.name, count, given_count);
    std::vector<const Value*> values(count, nullptr);
    for (std::size_t i = 0; i < std::min(count, given_count); ++i) values[i] = &arguments.positional[i];
    machine_.charge(arguments.named.size() * count * 8);
    std::vector<std::pair<Value, Value>> others;
    Value caller = Value::undefined("No caller defined");
    for (const auto& [name, value] : arguments.named) {
      std::size_t i = std::min(count, given_count);
      while (i < count && macro.parameters[i].first != name) ++i;
      if (i < count)
        values[i] = &value;
      else if (name == "caller" && macro.takes_caller)
        caller = value;
      else if (macro.takes_more_named)
        others.emplace_back(Value(name), value);
      else
        machine_.error("macro '{}' has no argument '{}'", macro.name, name);
    }
    if (macro.takes_caller) frame_->set("caller", caller);
    if (macro.takes_more_named) frame_->set("kwargs", machine_.dict(std::move(others)));
    if (macro.takes_more) {
      const auto first = arguments.positional.begin() + static_cast<std::ptrdiff_t>(std::min(count, given_count));
      frame_->set("varargs", machine_.sequence(Sequence::Kind::tuple, {first, arguments.positional.end()}));
    }
    for (std::size_t i = 0; i < count; ++i) {
      const auto& [name, otherwise] = macro.parameters[i];
      if (values[i])
        frame_->set(name, *values[i]);
      else
        frame_->set(name, otherwise ? evaluate(*otherwise)
                                    : Value::undefined(fmt::format("parameter '{}' was not provided", name)));
    }
  }

  Text* out_ = nullptr;
  Writer writer_;             // who writes what has no writer of its own
  bool author_open_ = false;  // in a loop whose items are no messages or parts of them
  int generations_ = 0;
  int macro_depth_ = 0;
};

}  // namespace temper::templates
