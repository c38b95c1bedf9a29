// SPDX-License-Identifier: MIT
// expects: temper: this objective needs 'template <class B> Loss loss(Context<B>&, Input<B>, const Batch<B>&,
// A loss is a sum with what it counts, not a number.
#include "temper/backend/cpu/memory.hpp"
#include "temper/objective/objective.hpp"

using namespace temper;

struct Wrong {
  template <class B>
  using Input = LogProbs<B>;
  template <class B>
  using Batch = PairBatch<B>;
#ifndef TEMPER_WRONG
  template <class B>
  Loss loss(Context<B>&, LogProbs<B>, const PairBatch<B>&, View<B, typename B::Activation, 1>) const {
    return {};
  }
#else
  template <class B>
  double loss(Context<B>&, LogProbs<B>, const PairBatch<B>&, View<B, typename B::Activation, 1>) const {
    return 0;
  }
#endif
};

static_assert(check_objective<Wrong, Cpu<float>>());
