// SPDX-License-Identifier: MIT
// expects: temper: this optimizer does not say what it remembers; add
// An optimizer has to name what it remembers of a parameter.
#include "temper/backend/cpu/memory.hpp"
#include "temper/optimizer/optimizer.hpp"

using namespace temper;

struct Wrong {
#ifndef TEMPER_WRONG
  template <class B>
  struct State {
    void visit(auto&&) {}
  };
  template <class B>
  State<B> state(Memory<B>&, const Parameter<B>&) const {
    return {};
  }
  template <class B>
  void update(Context<B>&, Parameter<B>&, State<B>&, StepInfo) const {}
#endif
};

static_assert(check_optimizer<Wrong, Cpu<float>>());
