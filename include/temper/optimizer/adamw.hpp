// SPDX-License-Identifier: MIT
// AdamW (Loshchilov and Hutter 2019) as torch.optim.AdamW: decoupled decay, bias correction, epsilon outside the root.
#pragma once
#include <cmath>

#include "temper/backend/operations.hpp"
#include "temper/optimizer/optimizer.hpp"

namespace temper {

struct AdamW {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.01;

  template <class B>
  struct State {
    View<B, typename B::Activation, 1> first, second;  // running means of the gradient and of its square
    void visit(auto&& each) { each("first", first), each("second", second); }
  };

  template <class B>
  State<B> state(Memory<B>& memory, const Parameter<B>& p) const {
    return {memory.template allocate<typename B::Activation, 1>(Holder::optimizer, {p.size()}),
            memory.template allocate<typename B::Activation, 1>(Holder::optimizer, {p.size()})};
  }

  template <class B>
  State<B> part(const State<B>& state, Index begin, Index end) const {
    return {state.first.slice(begin, end), state.second.slice(begin, end)};
  }

  // [update]
  template <class B>
  AdamWStep step_of(const Parameter<B>& p, StepInfo step) const {
    const auto t = static_cast<double>(step.number + 1);
    return {.learning_rate = step.rate * p.rate_scale,
            .beta1 = beta1,
            .beta2 = beta2,
            .epsilon = epsilon,
            .weight_decay = p.is_matrix() ? weight_decay : 0,
            .correction1 = 1 - std::pow(beta1, t),
            .correction2 = 1 - std::pow(beta2, t)};
  }

  template <class B>
  void update(Context<B>& ctx, Parameter<B>& p, State<B>& state, StepInfo step) const {
    adamw(ctx, flat(p.value), View<B, const typename B::Activation, 1>(flat(p.gradient)), state.first, state.second,
          step_of(p, step), step.gradient_scale);
  }
  // [/update]
};

}  // namespace temper
