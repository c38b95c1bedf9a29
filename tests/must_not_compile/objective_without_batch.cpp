// SPDX-License-Identifier: MIT
// expects: temper: this objective does not say what a batch is; add
// An objective has to say what its batch is.
#include "temper/backend/cpu/memory.hpp"
#include "temper/objective/objective.hpp"

using namespace temper;

struct Wrong {
  template <class B>
  using Input = LogProbs<B>;
#ifndef TEMPER_WRONG
  template <class B>
  using Batch = PairBatch<B>;
#endif
  template <class B>
  Loss loss(Context<B>&, LogProbs<B>, const PairBatch<B>&, View<B, typename B::Activation, 1>) const {
    return {};
  }
};

static_assert(check_objective<Wrong, Cpu<float>>());
