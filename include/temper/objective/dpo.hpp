// SPDX-License-Identifier: MIT
// Preferences without a reward model. With d the chosen side's log-probability less the rejected side's, each over its
// reference's (the model with its adapters off):
//   sigmoid   -log sigma(beta d), or with label smoothing e: -(1-e) log sigma(beta d) - e log sigma(-beta d)
//             Rafailov et al. 2023, DPO; Mitchell 2023, cDPO
//   hinge     max(0, 1 - beta d)                                 Zhao et al. 2023, SLiC
//   ipo       (d - 1 / (2 beta))^2, d a mean over tokens         Azar et al. 2024
// and without a reference, of mean log-probabilities a token:
//   simpo     -log sigma(beta d - gamma), smoothed as sigmoid    Meng et al. 2024
//   orpo      -log p(chosen) - beta log sigma(log odds(chosen) - log odds(rejected))       Hong et al. 2024
#pragma once
#include "temper/objective/pairs.hpp"

namespace temper {

enum class Preference { sigmoid, hinge, ipo, simpo, orpo };

struct Dpo {
  Preference form = Preference::sigmoid;
  double beta = 0.1;
  double label_smoothing = 0;  // sigmoid and simpo
  double gamma = 0.5;          // simpo

  template <class B>
  using Input = LogProbs<B>;
  template <class B>
  using Batch = PairBatch<B>;

  bool reads_reference() const { return form != Preference::simpo && form != Preference::orpo; }

  // [formula]
  PairTerm operator()(double chosen, double rejected) const {
    const double d = chosen - rejected;
    switch (form) {
      case Preference::hinge:
        return beta * d < 1 ? PairTerm{1 - beta * d, -beta, beta} : PairTerm{0, 0, 0};
      case Preference::ipo: {
        const double off = d - 1 / (2 * beta);
        return {off * off, 2 * off, -2 * off};
      }
      case Preference::orpo: {
        const double log_odds = log_odds_of(chosen) - log_odds_of(rejected), slope = -beta * sigmoid(-log_odds);
        return {-chosen + beta * softplus(-log_odds), -1 + slope * odds_slope(chosen), -slope * odds_slope(rejected)};
      }
      default:
        return smoothed(form == Preference::simpo ? beta * d - gamma : beta * d);
    }
  }
  // [/formula]

  // What the pair's side has earned: beta log p over the reference's, of the whole answer or, without one, a token.
  double reward(const PairSide& side) const { return beta * (reads_reference() ? side.sum : side.mean()); }

  template <class B>
  Loss loss(Context<B>& ctx, LogProbs<B> logp, const PairBatch<B>& batch,
            View<B, typename B::Activation, 1> dlogp) const {
    require(!reads_reference() || batch.reference.size() == logp.token.size(), Fault::usage, "dpo.reference",
            "dpo: the batch has {} reference log-probabilities for {} supervised tokens; expected one each; use "
            "reference_log_probs",
            batch.reference.size(), logp.token.size());
    const bool of_sums = form == Preference::sigmoid || form == Preference::hinge;
    return loss_of_pairs(ctx, *this, of_sums ? Reduce::sum : Reduce::mean, logp, batch, dlogp);
  }

 private:
  PairTerm smoothed(double margin) const {
    const double e = label_smoothing, slope = beta * (e * sigmoid(margin) - (1 - e) * sigmoid(-margin));
    return {(1 - e) * softplus(-margin) + e * softplus(margin), slope, -slope};
  }
  // log p / (1 - p) of log p, and its derivative. A side without tokens has log p = 0: as good as certain.
  static double log_one_less(double logp) { return std::log(-std::expm1(std::min(logp, -1e-12))); }
  static double log_odds_of(double logp) { return logp - log_one_less(logp); }
  static double odds_slope(double logp) { return std::exp(-log_one_less(logp)); }
};

}  // namespace temper
