// SPDX-License-Identifier: MIT
// The seam for losses on preference pairs: reduce each sequence's log-probabilities, ask the formula once a pair,
// spread its slopes over the tokens. Sums run in the order of tokens and pairs.
#pragma once
#include "temper/objective/objective.hpp"

namespace temper {

template <class B, class Formula>
Loss loss_of_pairs(Context<B>& ctx, const Formula& formula, Reduce reduce, LogProbs<B> logp, const PairBatch<B>& batch,
                   View<B, typename B::Activation, 1> dlogp) {
  require(logp.sequences == 2 * batch.pairs, Fault::usage, "pairs.shape",
          "loss_of_pairs: {} documents for {} pairs; expected two a pair, chosen and then rejected", logp.sequences,
          batch.pairs);
  Loss total{.count = static_cast<double>(batch.pairs)};
  const auto scope = ctx.scope();
  const auto value = scratch<double>(ctx, logp.sequences), length = scratch<double>(ctx, logp.sequences),
             slope = scratch<double>(ctx, logp.sequences);
  ctx.run("loss_of_pairs", {.flops = 4.0 * static_cast<double>(logp.token.size())}, [&] {
    for (Index s = 0; s < logp.sequences; ++s) value(s) = length(s) = 0;
    for (Index t = 0; t < logp.token.size(); ++t) {
      value(logp.sequence_of(t)) += static_cast<double>(logp.token(t));
      length(logp.sequence_of(t)) += 1;
    }
    for (Index s = 0; s < logp.sequences; ++s) {
      if (reduce == Reduce::sum || length(s) == 0) length(s) = 1;
      value(s) /= length(s);
    }
    for (Index p = 0; p < batch.pairs; ++p) {
      const Index chosen = 2 * p, rejected = 2 * p + 1;
      const PairTerm term = formula(value(chosen), value(rejected));
      total.sum += term.loss;
      total.correct += value(chosen) > value(rejected) ? 1 : 0;
      slope(chosen) = term.chosen / length(chosen) / batch.denominator;
      slope(rejected) = term.rejected / length(rejected) / batch.denominator;
    }
    for (Index t = 0; t < dlogp.size(); ++t) dlogp(t) = static_cast<typename B::Activation>(slope(logp.sequence_of(t)));
  });
  return total;
}

}  // namespace temper
