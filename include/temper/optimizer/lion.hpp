// SPDX-License-Identifier: MIT
// Lion (Chen et al. 2023, Symbolic Discovery of Optimization Algorithms): the sign of a mix of gradient and running
// mean, decoupled decay. Every element moves by the rate, so the rate is a third to a tenth of AdamW's.
#pragma once
#include "temper/backend/operations.hpp"
#include "temper/optimizer/optimizer.hpp"

namespace temper {

struct Lion {
  double beta1 = 0.9, beta2 = 0.99, weight_decay = 0.01;

  template <class B>
  struct State {
    View<B, typename B::Activation, 1> mean;  // of the gradient
    void visit(auto&& each) { each("mean", mean); }
  };

  template <class B>
  State<B> state(Memory<B>& memory, const Parameter<B>& p) const {
    return {memory.template allocate<typename B::Activation, 1>(Holder::optimizer, {p.size()})};
  }

  template <class B>
  State<B> part(const State<B>& state, Index begin, Index end) const {
    return {state.mean.slice(begin, end)};
  }

  template <class B>
  void update(Context<B>& ctx, Parameter<B>& p, State<B>& state, StepInfo step) const {
    lion(ctx, flat(p.value), View<B, const typename B::Activation, 1>(flat(p.gradient)), state.mean,
         LionStep{.learning_rate = step.rate * p.rate_scale,
                  .beta1 = beta1,
                  .beta2 = beta2,
                  .weight_decay = p.is_matrix() ? weight_decay : 0},
         step.gradient_scale);
  }
};

}  // namespace temper
