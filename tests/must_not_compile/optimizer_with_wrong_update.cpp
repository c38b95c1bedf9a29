// SPDX-License-Identifier: MIT
// expects: temper: this optimizer needs 'template <class B> void update(Context<B>&, Parameter<B>&, State<B>&,
// StepInfo) const' An update that does not get what was remembered.
#include "temper/backend/cpu/memory.hpp"
#include "temper/optimizer/optimizer.hpp"

using namespace temper;

struct Wrong {
  template <class B>
  struct State {
    void visit(auto&&) {}
  };
  template <class B>
  State<B> state(Memory<B>&, const Parameter<B>&) const {
    return {};
  }
#ifndef TEMPER_WRONG
  template <class B>
  void update(Context<B>&, Parameter<B>&, State<B>&, StepInfo) const {}
#else
  template <class B>
  void update(Context<B>&, Parameter<B>&, StepInfo) const {}
#endif
};

static_assert(check_optimizer<Wrong, Cpu<float>>());
