// SPDX-License-Identifier: MIT
// What every operation is given: the stream it runs on, the step's memory, random numbers, and whether the step is
// being run or only planned. All work passes one funnel, run(), which names, counts, and skips it while planning.
#pragma once
#include <chrono>
#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "temper/core/arena.hpp"
#include "temper/core/random.hpp"
#include "temper/core/view.hpp"

namespace temper {

enum class Mode { training, evaluating };
enum class Execution { running, planning };
enum class Adapters { on, off };

// What an operation costs at least: arithmetic, and bytes that must cross the memory bus.
struct Cost {
  double flops = 0;
  double bytes = 0;
};

// The account of one kind of operation over a step.
struct OperationTotal {
  std::string_view name;
  std::int64_t calls = 0;
  Cost cost;
  double seconds = 0;  // filled in only when timing is on
};

template <class B>
struct Parameter;
template <class B>
class Context;

// Moves a parameter in the middle of backward, when its gradient is whole (Update::in_backward).
template <class B>
class Mover {
 public:
  virtual void move(Context<B>& ctx, Parameter<B>& p) = 0;

 protected:
  ~Mover() = default;
};

// Where a micro-batch stands: what its random numbers depend on.
struct StepPosition {
  Step step = 0;
  Index first_token = 0;  // how many of the step came before
  Step update = step;     // where a step has several updates, the number of this one
};

template <class B>
class Context {
 public:
  using Stream = typename B::Stream;
  enum class Timing { off, on };
  static constexpr std::size_t most_operations = 64;
  enum class Checking { off, on };

  Context(Stream& stream, Arena& arena, std::uint64_t seed, Execution execution)
      : stream_(&stream), arena_(&arena), seed_(seed), execution_(execution) {
    operations_.reserve(most_operations);  // so that a name seen late, as in the first evaluation, allocates nothing
  }

  Stream& stream() const { return *stream_; }
  Arena& arena() const { return *arena_; }

  bool planning() const { return execution_ == Execution::planning; }
  bool training() const { return mode_ == Mode::training; }
  void set_mode(Mode mode) { mode_ = mode; }
  // Adapters off: every layer is as the base has it.
  Adapters adapters() const { return adapters_; }
  bool adapted() const { return adapters_ == Adapters::on; }
  void set_timing(Timing timing) { timing_ = timing; }
  // Layers look at what they made and throw where it is not finite (model/finite.hpp).
  bool checking() const { return checking_ == Checking::on; }
  void set_checking(Checking checking) { checking_ = checking; }

  Mover<B>* mover() const { return mover_; }
  void set_mover(Mover<B>* mover) { mover_ = mover; }

  // Where this micro-batch stands: the optimizer step and the number of its tokens that came before. Random numbers
  // depend on these and on nothing else, so that splitting a step into micro-batches differently draws the same
  // numbers. What an adapter adds changes only between steps: what a layer derives from that and from frozen weights
  // alone it may derive where no token came before, and use again until that is so once more.
  void set_position(const StepPosition& at) { step_ = at.step, first_token_ = at.first_token, update_ = at.update; }
  Step step() const { return step_; }
  Index first_token() const { return first_token_; }
  Random random(std::uint32_t site) const { return {seed_, site, static_cast<std::uint32_t>(step_)}; }
  // What is rounded as micro-batches are added up is rounded by other bits in each of them.
  Random rounding(std::uint32_t site) const {
    return {seed_, random_site(static_cast<std::uint64_t>(first_token_), site), static_cast<std::uint32_t>(update_)};
  }

  // Scratch made after this goes when it goes.
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), mark_(arena.scratched()) {}
    ~Scope() { arena_.release_scratch(mark_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    std::size_t mark_;
  };
  Scope scope() { return Scope(*arena_); }

  // What a layer keeps goes when its backward returns (or its forward, in evaluation).
  class Keeping {
   public:
    explicit Keeping(Arena& arena) : arena_(arena), mark_(arena.kept()) {}
    ~Keeping() { arena_.release_keep(mark_); }
    Keeping(const Keeping&) = delete;
    Keeping& operator=(const Keeping&) = delete;

   private:
    Arena& arena_;
    std::size_t mark_;
  };
  Keeping keeping() { return Keeping(*arena_); }

  // Forward passes alone, as in evaluation, until it goes.
  class Evaluating {
   public:
    Evaluating(Context& ctx, Adapters adapters) : ctx_(ctx), mode_(ctx.mode_) {
      ctx.mode_ = Mode::evaluating, ctx.adapters_ = adapters;
    }
    ~Evaluating() { ctx_.mode_ = mode_, ctx_.adapters_ = Adapters::on; }
    Evaluating(const Evaluating&) = delete;
    Evaluating& operator=(const Evaluating&) = delete;

   private:
    Context& ctx_;
    Mode mode_;
  };
  Evaluating evaluating(Adapters adapters) { return Evaluating(*this, adapters); }

  // The funnel. 'work' takes no argument and touches memory; it is not called while planning.
  template <class Work>
  void run(std::string_view name, Cost cost, Work&& work) {
    OperationTotal& total = account(name);
    ++total.calls;
    total.cost.flops += cost.flops;
    total.cost.bytes += cost.bytes;
    if (planning()) return;
    if (timing_ == Timing::off) return work();
    const auto start = std::chrono::steady_clock::now();
    work();
    total.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  const std::vector<OperationTotal>& operations() const { return operations_; }
  void forget_operations() { operations_.clear(); }

 private:
  // A linear search over some twenty names that are string literals; no allocation after the first step.
  OperationTotal& account(std::string_view name) {
    for (OperationTotal& total : operations_)
      if (total.name == name) return total;
    return operations_.emplace_back(OperationTotal{name, 0, {}, 0});
  }

  Stream* stream_;
  Arena* arena_;
  std::uint64_t seed_;
  Execution execution_;
  Mode mode_ = Mode::training;
  Adapters adapters_ = Adapters::on;
  Timing timing_ = Timing::off;
  Checking checking_ = Checking::off;
  Mover<B>* mover_ = nullptr;
  Step step_ = 0, update_ = 0;
  Index first_token_ = 0;
  std::vector<OperationTotal> operations_;
};

// Memory of a step: keep lives until this layer's backward returns, scratch until the enclosing ctx.scope() ends. Free
// functions, so that templates need no '.template'. The contents are not initialised.
template <class T, class B, std::convertible_to<Index>... N>
View<B, T, static_cast<int>(sizeof...(N))> keep(Context<B>& ctx, N... extents) {
  const std::size_t bytes = sizeof(T) * (static_cast<std::size_t>(extents) * ...);
  return {static_cast<T*>(ctx.arena().keep(bytes)), {static_cast<Index>(extents)...}};
}
template <class T, class B, std::convertible_to<Index>... N>
View<B, T, static_cast<int>(sizeof...(N))> scratch(Context<B>& ctx, N... extents) {
  const std::size_t bytes = sizeof(T) * (static_cast<std::size_t>(extents) * ...);
  return {static_cast<T*>(ctx.arena().scratch(bytes)), {static_cast<Index>(extents)...}};
}

}  // namespace temper
