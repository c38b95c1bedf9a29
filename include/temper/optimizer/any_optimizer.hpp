// SPDX-License-Identifier: MIT
// One of several rules, chosen while the program runs: models and sessions are then compiled once for all of them, and
// only the updates once for each.
#pragma once
#include <concepts>
#include <utility>
#include <variant>

#include "temper/optimizer/optimizer.hpp"

namespace temper {

template <class... Rules>
struct AnyOptimizer {
  std::variant<Rules...> rule;

  template <class B>
  struct State {
    std::variant<typename Rules::template State<B>...> of;  // the alternative is the rule's
    void visit(auto&& each) {
      std::visit([&](auto& state) { state.visit(each); }, of);
    }
  };

  template <class B>
  State<B> state(Memory<B>& memory, const Parameter<B>& p) const {
    return std::visit(
        [&]<class R>(const R& chosen) -> State<B> { return {typename R::template State<B>(chosen.state(memory, p))}; },
        rule);
  }

  template <class B>
  void update(Context<B>& ctx, Parameter<B>& p, State<B>& state, StepInfo step) const {
    std::visit([&]<class R>(
                   const R& chosen) { chosen.update(ctx, p, std::get<typename R::template State<B>>(state.of), step); },
               rule);
  }
};

// The chosen rule's own way.
template <class B, class... Rules>
void apply(Context<B>& ctx, const AnyOptimizer<Rules...>& any, Parameter<B>& p,
           typename AnyOptimizer<Rules...>::template State<B>& state, StepInfo step, Index at_once = elements_of_part) {
  std::visit(
      [&]<class R>(const R& chosen) {
        apply(ctx, chosen, p, std::get<typename R::template State<B>>(state.of), step, at_once);
      },
      any.rule);
}

}  // namespace temper
