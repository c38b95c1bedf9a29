// SPDX-License-Identifier: MIT
// expects: temper: this optimizer's State needs 'void visit(auto&& each)'
// State that no visitor sees could not be saved.
#include "temper/backend/cpu/memory.hpp"
#include "temper/optimizer/optimizer.hpp"

using namespace temper;

struct Wrong {
  template <class B>
  struct State {
#ifndef TEMPER_WRONG
    void visit(auto&&) {}
#endif
  };
  template <class B>
  State<B> state(Memory<B>&, const Parameter<B>&) const {
    return {};
  }
  template <class B>
  void update(Context<B>&, Parameter<B>&, State<B>&, StepInfo) const {}
};

static_assert(check_optimizer<Wrong, Cpu<float>>());
