// SPDX-License-Identifier: MIT
// Stochastic gradient descent as torch.optim.SGD: decay added to the gradient, momentum classical or Nesterov's.
#pragma once
#include "temper/backend/operations.hpp"
#include "temper/optimizer/optimizer.hpp"

namespace temper {

struct Sgd {
  double momentum = 0;
  Momentum kind = Momentum::classical;
  double weight_decay = 0;

  template <class B>
  struct State {
    View<B, typename B::Activation, 1> momentum;  // empty without momentum
    void visit(auto&& each) {
      if (!momentum.empty()) each("momentum", momentum);
    }
  };

  template <class B>
  State<B> state(Memory<B>& memory, const Parameter<B>& p) const {
    if (momentum == 0) return {};
    return {memory.template allocate<typename B::Activation, 1>(Holder::optimizer, {p.size()})};
  }

  template <class B>
  State<B> part(const State<B>& state, Index begin, Index end) const {
    if (state.momentum.empty()) return {};
    return {state.momentum.slice(begin, end)};
  }

  template <class B>
  void update(Context<B>& ctx, Parameter<B>& p, State<B>& state, StepInfo step) const {
    sgd(ctx, flat(p.value), View<B, const typename B::Activation, 1>(flat(p.gradient)), state.momentum,
        SgdStep{.learning_rate = step.rate * p.rate_scale,
                .momentum = momentum,
                .weight_decay = p.is_matrix() ? weight_decay : 0,
                .kind = kind,
                .first = step.number == 0},
        step.gradient_scale);
  }
};

}  // namespace temper
