// SPDX-License-Identifier: MIT
// The seam for losses on preference pairs: reduce each side's log-probabilities, over the reference's where the batch
// has them, ask the formula once a pair, spread its slopes over the tokens. Sums run in the order of tokens and pairs.
#pragma once
#include <algorithm>

#include "temper/objective/objective.hpp"

namespace temper {

// A side of a pair, over its supervised tokens.
struct PairSide {
  double sum = 0;  // of log p, less the reference's
  double tokens = 0;

  double mean() const { return tokens > 0 ? sum / tokens : 0; }
};

// 'formula(chosen, rejected)' is a PairTerm of the two sides' sums or means. Where it also has 'reward(PairSide)', the
// loss tells the rewards, and the chosen side is right where its reward is larger.
template <class B, class Formula>
Loss loss_of_pairs(Context<B>& ctx, const Formula& formula, Reduce reduce, LogProbs<B> logp, const PairBatch<B>& batch,
                   View<B, typename B::Activation, 1> dlogp) {
  require(logp.sequences == 2 * batch.pairs, Fault::usage, "pairs.shape",
          "loss_of_pairs: {} documents for {} pairs; expected two a pair, chosen and then rejected", logp.sequences,
          batch.pairs);
  Loss total{.count = static_cast<double>(batch.pairs)};
  const auto scope = ctx.scope();
  const auto side = scratch<PairSide>(ctx, logp.sequences);
  const auto slope = scratch<double>(ctx, logp.sequences);
  ctx.run("loss_of_pairs", {.flops = 4.0 * static_cast<double>(logp.token.size())}, [&] {
    for (Index s = 0; s < logp.sequences; ++s) side(s) = {};
    for (Index t = 0; t < logp.token.size(); ++t) {
      const double reference = batch.reference.empty() ? 0 : static_cast<double>(batch.reference(t));
      side(logp.sequence_of(t)).sum += static_cast<double>(logp.token(t)) - reference;
      side(logp.sequence_of(t)).tokens += 1;
    }
    const auto value = [&](Index s) { return reduce == Reduce::sum ? side(s).sum : side(s).mean(); };
    const auto length = [&](Index s) { return reduce == Reduce::sum ? 1 : std::max(1.0, side(s).tokens); };
    for (Index p = 0; p < batch.pairs; ++p) {
      const Index chosen = 2 * p, rejected = 2 * p + 1;
      const PairTerm term = formula(value(chosen), value(rejected));
      total.sum += term.loss;
      slope(chosen) = term.chosen / length(chosen) / batch.denominator;
      slope(rejected) = term.rejected / length(rejected) / batch.denominator;
      if constexpr (requires { formula.reward(side(0)); }) {
        const double good = formula.reward(side(chosen)), bad = formula.reward(side(rejected));
        total.correct += good > bad ? 1 : 0;
        total.add("reward_chosen", good);
        total.add("reward_rejected", bad);
        total.add("reward_margin", good - bad);
      } else {
        total.correct += value(chosen) > value(rejected) ? 1 : 0;
      }
    }
    for (Index t = 0; t < dlogp.size(); ++t) dlogp(t) = static_cast<typename B::Activation>(slope(logp.sequence_of(t)));
  });
  return total;
}

// The same where the two sides are scores of a head with one output.
template <class B, class Formula>
Loss loss_of_pairs(Context<B>& ctx, const Formula& formula, Scores<B> scores, const PairBatch<B>& batch,
                   View<B, typename B::Activation, 2> dscores) {
  require(scores.score.rows() == 2 * batch.pairs && scores.score.cols() == 1, Fault::usage, "pairs.scores",
          "loss_of_pairs: scores [{}, {}] for {} pairs; expected one score for each side, chosen and then rejected",
          scores.score.rows(), scores.score.cols(), batch.pairs);
  Loss total{.count = static_cast<double>(batch.pairs)};
  ctx.run("loss_of_pairs", {.flops = 8.0 * static_cast<double>(batch.pairs)}, [&] {
    for (Index p = 0; p < batch.pairs; ++p) {
      const double good = static_cast<double>(scores.score(2 * p, 0)),
                   bad = static_cast<double>(scores.score(2 * p + 1, 0));
      const PairTerm term = formula(good, bad);
      total.sum += term.loss;
      dscores(2 * p, 0) = static_cast<typename B::Activation>(term.chosen / batch.denominator);
      dscores(2 * p + 1, 0) = static_cast<typename B::Activation>(term.rejected / batch.denominator);
      total.correct += good > bad ? 1 : 0;
      total.add("reward_chosen", good);
      total.add("reward_rejected", bad);
      total.add("reward_margin", good - bad);
    }
  });
  return total;
}

}  // namespace temper
