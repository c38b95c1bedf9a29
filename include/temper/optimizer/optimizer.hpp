// SPDX-License-Identifier: MIT
// An optimizer is an aggregate of settings (the rule) with a nested State (what it remembers of each parameter):
//
//   template <class B> struct State;
//
//   template <class B> State<B> state(Memory<B>&, const Parameter<B>&) const;    allocates, zeroed by the caller
//   template <class B> void update(Context<B>&, Parameter<B>&, State<B>&, StepInfo) const;
//
// and State gives its tensors to a visitor, by name, so that a checkpoint can hold them. Decay is on every trained
// matrix and on no vector.
#pragma once
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

// [apply]
// The rule on one parameter. What is held in bf16 is moved in the backend's own precision and rounded back at random,
// so that a move too small for bf16 is made in the mean, where rounding to the nearest would never make it.
template <class B, class R>
void apply(Context<B>& ctx, const R& rule, Parameter<B>& p, typename R::template State<B>& state, StepInfo step) {
  if (!p.is_narrow()) return rule.update(ctx, p, state, step);
  const auto scope = ctx.scope();
  p.value.data = scratch<typename B::Activation>(ctx, p.size()).data;
  widen(ctx, flat(p.value), flat(p.narrow));
  rule.update(ctx, p, state, step);
  Random random = ctx.random(random_site(p.name, random_site("rounding ")));
  random.step = static_cast<std::uint32_t>(step.number);
  round_at_random(ctx, flat(p.narrow), flat(p.value), random);
  p.value.data = nullptr;
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
