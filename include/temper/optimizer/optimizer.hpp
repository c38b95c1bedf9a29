// SPDX-License-Identifier: MIT
// An optimizer is an aggregate of settings (the rule) with a nested State (what it remembers of each parameter):
//
//   template <class B> struct State;
//
//   template <class B> State<B> state(Memory<B>&, const Parameter<B>&) const;    allocates, zeroed by the caller
//   template <class B> void update(Context<B>&, Parameter<B>&, State<B>&, StepInfo) const;
//
// and State gives its tensors to a visitor, by name, so that a checkpoint can hold them. Decay is on every trained
// matrix and on no vector. A rule that moves each element by itself may say so:
//
//   template <class B> State<B> part(const State<B>&, Index begin, Index end) const;  of these elements
//
// and is then given a matrix in bf16 part by part.
#pragma once
#include <algorithm>
#include <array>
#include <concepts>
#include <string_view>

#include "temper/core/layer.hpp"
#include "temper/core/memory.hpp"

namespace temper {

// Of one optimizer step.
struct StepInfo {
  Step number = 0;            // from 0
  double rate = 0;            // the schedule's learning rate
  double gradient_scale = 1;  // from clipping
};

template <class R, class B>
concept MovesByParts = requires(const R& rule, const typename R::template State<B>& state) {
  { rule.part(state, Index{0}, Index{1}) } -> std::same_as<typename R::template State<B>>;
};

// Elements of a part: few enough for caches, many enough for threads, and whole blocks of coded moments.
inline constexpr Index elements_of_part = Index{1} << 20;

// [apply]
// What is held in bf16, in the backend's own precision while a rule moves it: elements [begin, end), by 'move'. Values
// are rounded back at random, so that a move too small for bf16 is made in the mean, where rounding to the nearest
// would never make it.
template <class B, class Move>
void move_widened(Context<B>& ctx, Parameter<B>& p, Index begin, Index end, Step number, Move&& move) {
  using Act = typename B::Activation;
  const auto scope = ctx.scope();
  // However the move ends, the parameter shows nothing of scratch afterwards.
  const struct Restored {
    Parameter<B>& p;
    decltype(p.value) value;
    decltype(p.gradient) gradient;
    ~Restored() { p.value = value, p.gradient = gradient; }
  } own{p, p.value, p.gradient};
  const auto narrow = flat(p.narrow).slice(begin, end);
  const std::array<Index, 2> shape =
      narrow.size() == own.value.size() ? own.value.shape : std::array{Index{1}, narrow.size()};
  p.value = {scratch<Act>(ctx, narrow.size()).data, shape};
  widen(ctx, flat(p.value), narrow);
  if (p.has_narrow_gradient()) {
    p.gradient = {scratch<Act>(ctx, narrow.size()).data, shape};
    widen(ctx, flat(p.gradient), flat(p.narrow_gradient).slice(begin, end));
  } else {
    p.gradient = {flat(own.gradient).slice(begin, end).data, shape};
  }
  move();
  Random random = ctx.random(random_site(p.name, random_site("rounding ")));
  random.step = static_cast<std::uint32_t>(number);
  round_at_random(ctx, narrow, flat(p.value), random, begin);
}

// The rule on one parameter.
template <class B, class R>
void apply(Context<B>& ctx, const R& rule, Parameter<B>& p, typename R::template State<B>& state, StepInfo step,
           Index at_once = elements_of_part) {
  if (!p.is_narrow()) return rule.update(ctx, p, state, step);
  if constexpr (MovesByParts<R, B>) {
    for (Index begin = 0; begin < p.narrow.size(); begin += at_once) {
      const Index end = std::min(p.narrow.size(), begin + at_once);
      auto part = rule.part(state, begin, end);
      move_widened(ctx, p, begin, end, step.number, [&] { rule.update(ctx, p, part, step); });
    }
  } else {
    move_widened(ctx, p, 0, p.narrow.size(), step.number, [&] { rule.update(ctx, p, state, step); });
  }
}
// [/apply]

struct AnyTensorVisitor {
  void operator()(std::string_view, auto) const {}
};

template <class O, class B>
concept NamesItsState = requires {
  typename O::template State<B>;
};
template <class O, class B>
concept MakesItsState = NamesItsState<O, B> && requires(const O& rule, Memory<B>& memory, const Parameter<B>& p) {
  { rule.state(memory, p) } -> std::same_as<typename O::template State<B>>;
};
template <class O, class B>
concept HasUpdate = NamesItsState<O, B> &&
    requires(const O& rule, Context<B>& ctx, Parameter<B>& p, typename O::template State<B>& state, StepInfo step) {
  { rule.update(ctx, p, state, step) } -> std::same_as<void>;
};
template <class O, class B>
concept StateIsVisited = NamesItsState<O, B> && requires(typename O::template State<B>& state) {
  state.visit(AnyTensorVisitor{});
};

template <class O, class B>
concept Optimizer = MakesItsState<O, B> && HasUpdate<O, B> && StateIsVisited<O, B>;

template <class O, class B>
consteval bool check_optimizer() {
  static_assert(NamesItsState<O, B>,
                "temper: this optimizer does not say what it remembers; add 'template <class B> struct "
                "State' (it may be empty); see docs/optimizers.md, State");
  if constexpr (NamesItsState<O, B>) {
    static_assert(MakesItsState<O, B>,
                  "temper: this optimizer needs 'template <class B> State<B> state(Memory<B>&, const "
                  "Parameter<B>&) const'; see docs/optimizers.md, State");
    static_assert(HasUpdate<O, B>,
                  "temper: this optimizer needs 'template <class B> void update(Context<B>&, "
                  "Parameter<B>&, State<B>&, StepInfo) const'; see docs/optimizers.md, Update");
    static_assert(StateIsVisited<O, B>,
                  "temper: this optimizer's State needs 'void visit(auto&& each)' that gives each "
                  "tensor with its name; see docs/optimizers.md, State");
  }
  return true;
}

}  // namespace temper
