// SPDX-License-Identifier: MIT
// A reward model from preferences (Bradley and Terry 1952; Ouyang et al. 2022): with r the score of an answer's last
// token, -log sigma(r_chosen - r_rejected), and to keep rewards around zero (Eisenstein et al. 2023) c (r_chosen +
// r_rejected)^2. The model is built with one score.
#pragma once
#include "temper/objective/pairs.hpp"

namespace temper {

struct Reward {
  double center_coefficient = 0;

  template <class B>
  using Input = Scores<B>;
  template <class B>
  using Batch = PairBatch<B>;

  PairTerm operator()(double chosen, double rejected) const {
    const double margin = chosen - rejected, sum = chosen + rejected, slope = -sigmoid(-margin),
                 pull = 2 * center_coefficient * sum;
    return {softplus(-margin) + center_coefficient * sum * sum, slope + pull, -slope + pull};
  }

  template <class B>
  Loss loss(Context<B>& ctx, Scores<B> scores, const PairBatch<B>& batch,
            View<B, typename B::Activation, 2> dscores) const {
    return loss_of_pairs(ctx, *this, scores, batch, dscores);
  }
};

}  // namespace temper
