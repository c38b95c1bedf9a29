// SPDX-License-Identifier: MIT
// expects: temper: this objective needs 'template <class B> Loss loss(Context<B>&, Scores<B>, const
// Scores are a matrix, and so are the slopes of a loss on them.
#include "temper/backend/cpu/memory.hpp"
#include "temper/objective/objective.hpp"

using namespace temper;

struct Wrong {
  template <class B>
  using Input = Scores<B>;
  template <class B>
  using Batch = ScoreBatch<B>;
#ifndef TEMPER_WRONG
  template <class B>
  Loss loss(Context<B>&, Scores<B>, const ScoreBatch<B>&, View<B, typename B::Activation, 2>) const {
    return {};
  }
#else
  template <class B>
  Loss loss(Context<B>&, Scores<B>, const ScoreBatch<B>&, View<B, typename B::Activation, 1>) const {
    return {};
  }
#endif
};

static_assert(check_objective<Wrong, Cpu<float>>());
