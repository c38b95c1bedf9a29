// SPDX-License-Identifier: MIT
// expects: temper: this objective's Batch needs 'static Batch of(const TokenBatch<B>&, double denominator)'
// A batch of one's own has to say how it is made.
#include "temper/backend/cpu/memory.hpp"
#include "temper/objective/objective.hpp"

using namespace temper;

template <class B>
struct Own {
  double denominator = 1;
#ifndef TEMPER_WRONG
  static Own of(const TokenBatch<B>&, double denominator) { return {denominator}; }
#endif
  static Index count(const HostBatch& batch) { return std::ssize(batch.tokens); }
};

struct Wrong {
  template <class B>
  using Input = LogProbs<B>;
  template <class B>
  using Batch = Own<B>;
  template <class B>
  Loss loss(Context<B>&, LogProbs<B>, const Own<B>&, View<B, typename B::Activation, 1>) const {
    return {};
  }
};

static_assert(check_objective<Wrong, Cpu<float>>());
