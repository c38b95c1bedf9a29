// SPDX-License-Identifier: MIT
// expects: temper: this objective does not say what it reads; add
// An objective has to say what it reads from the model.
#include "temper/backend/cpu/memory.hpp"
#include "temper/objective/objective.hpp"

using namespace temper;

struct Wrong {
#ifndef TEMPER_WRONG
  template <class B>
  using Input = LogProbs<B>;
#endif
  template <class B>
  using Batch = PairBatch<B>;
  template <class B>
  Loss loss(Context<B>&, LogProbs<B>, const PairBatch<B>&, View<B, typename B::Activation, 1>) const {
    return {};
  }
};

static_assert(check_objective<Wrong, Cpu<float>>());
