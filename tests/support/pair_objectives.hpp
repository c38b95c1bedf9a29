// SPDX-License-Identifier: MIT
// Objectives as a user would write them, for tests of what stands around objectives.
#pragma once
#include "temper/objective/pairs.hpp"

namespace temper_test {

using namespace temper;

// SimPO (Meng et al. 2024): the mean log-probability of the chosen side, above the rejected one's by a margin.
struct SimPo {
  double beta = 2, margin = 0.5;
  template <class B>
  using Input = LogProbs<B>;
  template <class B>
  using Batch = PairBatch<B>;
  template <class B>
  Loss loss(Context<B>& ctx, LogProbs<B> logp, const PairBatch<B>& batch,
            View<B, typename B::Activation, 1> dlogp) const {
    const auto formula = [this](double chosen, double rejected) {
      const double z = beta * (chosen - rejected) - margin;
      return PairTerm{softplus(-z), -beta * sigmoid(-z), beta * sigmoid(-z)};
    };
    return loss_of_pairs(ctx, formula, Reduce::mean, logp, batch, dlogp);
  }
};

// DPO (Rafailov et al. 2023) against a reference that gives each side of each pair the same log-probability.
struct PlainDpo {
  double beta = 0.1;
  template <class B>
  using Input = LogProbs<B>;
  template <class B>
  using Batch = PairBatch<B>;
  template <class B>
  Loss loss(Context<B>& ctx, LogProbs<B> logp, const PairBatch<B>& batch,
            View<B, typename B::Activation, 1> dlogp) const {
    const auto formula = [this](double chosen, double rejected) {
      const double z = beta * (chosen - rejected);
      return PairTerm{softplus(-z), -beta * sigmoid(-z), beta * sigmoid(-z)};
    };
    return loss_of_pairs(ctx, formula, Reduce::sum, logp, batch, dlogp);
  }
};

}  // namespace temper_test
