// SPDX-License-Identifier: MIT
// expects: temper: this objective reads what no head gives; its Input is LogProbs<B>
// An objective can read only what a head knows how to give.
#include "temper/backend/cpu/memory.hpp"
#include "temper/objective/objective.hpp"

using namespace temper;

struct Wrong {
#ifndef TEMPER_WRONG
  template <class B>
  using Input = Scores<B>;
#else
  template <class B>
  using Input = View<B, const typename B::Activation, 2>;
#endif
  template <class B>
  using Batch = ScoreBatch<B>;
  template <class B>
  Loss loss(Context<B>&, Input<B>, const ScoreBatch<B>&, View<B, typename B::Activation, 2>) const {
    return {};
  }
};

static_assert(check_objective<Wrong, Cpu<float>>());
