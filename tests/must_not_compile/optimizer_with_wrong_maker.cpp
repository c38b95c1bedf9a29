// SPDX-License-Identifier: MIT
// expects: temper: this optimizer needs 'template <class B> State<B> state(Memory<B>&, const Parameter<B>&) const'
// A maker of state that is not told for which parameter.
#include "temper/backend/cpu/memory.hpp"
#include "temper/optimizer/optimizer.hpp"

using namespace temper;

struct Wrong {
  template <class B>
  struct State {
    void visit(auto&&) {}
  };
#ifndef TEMPER_WRONG
  template <class B>
  State<B> state(Memory<B>&, const Parameter<B>&) const {
    return {};
  }
#else
  template <class B>
  State<B> state(Memory<B>&) const {
    return {};
  }
#endif
  template <class B>
  void update(Context<B>&, Parameter<B>&, State<B>&, StepInfo) const {}
};

static_assert(check_optimizer<Wrong, Cpu<float>>());
