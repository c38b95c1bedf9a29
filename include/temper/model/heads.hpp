// SPDX-License-Identifier: MIT
// The language head and the loss as one operation over blocks of logits: the whole [S, V] is never held. Only
// supervised positions reach the head.
#pragma once
#include "temper/model/decoder.hpp"
#include "temper/objective/objective.hpp"

namespace temper {

// The loss of a micro-batch and, in training, dhidden [T, D] (zero where nothing is supervised). 'denominator' is the
// number of supervised tokens (or pairs) of the whole step.
template <class B, class O>
Loss head_and_loss(Context<B>& ctx, const O& objective, HeadOf<B> head, In<B> hidden,
                   View<B, typename B::Activation, 2> dhidden, const TokenBatch<B>& batch, double denominator) {
  using Act = typename B::Activation;
  const auto scope = ctx.scope();
  const Index supervised = batch.supervised(), width = hidden.cols();
  const auto rows = scratch<Act>(ctx, supervised, width);
  gather_rows(ctx, rows, hidden, batch.rows);
  const auto drows = ctx.training() ? scratch<Act>(ctx, supervised, width) : View<B, Act, 2>{};
  const auto dweight = ctx.training() ? head.gradient : View<B, Act, 2>{};

  Loss total;
  if constexpr (GradientKnown<O>) {
    const auto loss = scratch<Act>(ctx, supervised), plain = scratch<Act>(ctx, supervised);
    const auto correct = scratch<std::int32_t>(ctx, supervised);
    cross_entropy(ctx, loss, plain, correct, into(drows), dweight, In<B>(rows), head.weight, batch.targets,
                  objective.cross_entropy(), static_cast<Act>(1 / denominator));
    total.count = static_cast<double>(supervised);
    ctx.run("sum_losses", {.flops = 3.0 * static_cast<double>(supervised)}, [&] {
      for (Index i = 0; i < supervised; ++i) {
        total.sum += static_cast<double>(loss(i));
        total.cross_entropy += static_cast<double>(plain(i));
        total.correct += correct(i);
      }
    });
  } else {
    // [seam]
    const auto logp = scratch<Act>(ctx, supervised), lse = scratch<Act>(ctx, supervised),
               dlogp = scratch<Act>(ctx, supervised);
    log_probs(ctx, logp, lse, In<B>(rows), head.weight, batch.targets);
    const LogProbs<B> input{logp, batch.sequence_of, batch.documents};
    total = objective.loss(ctx, input, typename O::template Batch<B>{batch.documents / 2, denominator}, dlogp);
    if (ctx.training())
      log_probs_backward(ctx, drows, dweight, View<B, const Act, 1>(dlogp), View<B, const Act, 1>(lse), In<B>(rows),
                         head.weight, batch.targets);
    // [/seam]
  }
  if (ctx.training()) scatter_rows(ctx, dhidden, In<B>(drows), batch.rows);
  return total;
}

}  // namespace temper
