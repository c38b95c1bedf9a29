// SPDX-License-Identifier: MIT
// The language head and the loss as one operation over blocks of logits: the whole [S, V] is never held. Only
// supervised positions reach the head. A score head is small: its scores are held.
#pragma once
#include "temper/model/decoder.hpp"
#include "temper/objective/objective.hpp"

namespace temper {

// The loss of supervised states [S, D] and, in training, their gradients.
template <class B, GradientKnown O>
Loss loss_of_states(Context<B>& ctx, const O& objective, HeadOf<B> head, In<B> states,
                    View<B, typename B::Activation, 2> dstates, const TokenBatch<B>& batch, double denominator) {
  using Act = typename B::Activation;
  const Index supervised = batch.supervised();
  const auto loss = scratch<Act>(ctx, supervised), plain = scratch<Act>(ctx, supervised);
  const auto correct = scratch<std::int32_t>(ctx, supervised);
  cross_entropy(ctx, loss, plain, correct, into(dstates), head.gradient, states, head.weight, batch.targets,
                objective.cross_entropy(), static_cast<Act>(1 / denominator));
  Loss total{.count = static_cast<double>(supervised)};
  ctx.run("sum_losses", {.flops = 3.0 * static_cast<double>(supervised)}, [&] {
    for (Index i = 0; i < supervised; ++i) {
      total.sum += static_cast<double>(loss(i));
      total.plain += static_cast<double>(plain(i));
      total.correct += correct(i);
    }
  });
  return total;
}

template <class B, FollowsTeacher O>
Loss loss_of_states(Context<B>& ctx, const O& objective, HeadOf<B> head, In<B> states,
                    View<B, typename B::Activation, 2> dstates, const TokenBatch<B>& batch, double denominator) {
  using Act = typename B::Activation;
  const Index supervised = batch.supervised();
  const auto loss = scratch<Act>(ctx, supervised), divergence = scratch<Act>(ctx, supervised),
             plain = scratch<Act>(ctx, supervised);
  const auto correct = scratch<std::int32_t>(ctx, supervised);
  const TaughtStates<B>& taught = batch.taught;
  const Act scale = static_cast<Act>(1 / denominator);
  if (taught.rest.empty())
    distillation(ctx, loss, divergence, plain, correct, into(dstates), head.gradient, states, head.weight,
                 taught.states, taught.head, batch.targets, objective.distill(), scale);
  else
    distillation_of_top(ctx, loss, divergence, plain, correct, into(dstates), head.gradient, states, head.weight,
                        taught.top, taught.tokens, taught.rest, batch.targets, objective.distill(), scale);
  Loss total{.count = static_cast<double>(supervised)};
  total.add("divergence", 0);
  ctx.run("sum_losses", {.flops = 4.0 * static_cast<double>(supervised)}, [&] {
    for (Index i = 0; i < supervised; ++i) {
      total.sum += static_cast<double>(loss(i));
      total.plain += static_cast<double>(plain(i));
      total.correct += correct(i);
      total.add("divergence", static_cast<double>(divergence(i)));
    }
  });
  return total;
}

// [seam]
template <class B, class O>
Loss loss_of_states(Context<B>& ctx, const O& objective, HeadOf<B> head, In<B> states,
                    View<B, typename B::Activation, 2> dstates, const TokenBatch<B>& batch, double denominator) {
  using Act = typename B::Activation;
  const Index supervised = batch.supervised();
  const auto logp = scratch<Act>(ctx, supervised), lse = scratch<Act>(ctx, supervised),
             dlogp = scratch<Act>(ctx, supervised);
  log_probs(ctx, logp, lse, states, head.weight, batch.targets);
  const LogProbs<B> input{logp, batch.sequence_of, batch.documents};
  Loss total = objective.loss(ctx, input, O::template Batch<B>::of(batch, denominator), dlogp);
  total.plain = total.sum;
  if (ctx.training())
    log_probs_backward(ctx, dstates, head.gradient, View<B, const Act, 1>(dlogp), View<B, const Act, 1>(lse), states,
                       head.weight, batch.targets);
  return total;
}
// [/seam]

// The same for scores: a state for each document.
template <class B, class O>
requires ReadsScores<O, B> Loss loss_of_states(Context<B>& ctx, const O& objective, HeadOf<B> head, In<B> states,
                                               View<B, typename B::Activation, 2> dstates, const TokenBatch<B>& batch,
                                               double denominator) {
  using Act = typename B::Activation;
  const Index outputs = head.weight.rows;
  const auto scores = scratch<Act>(ctx, states.rows(), outputs), dscores = scratch<Act>(ctx, states.rows(), outputs);
  matmul(ctx, into(scores), states, head.weight);
  Loss total = objective.loss(ctx, Scores<B>{scores}, O::template Batch<B>::of(batch, denominator), dscores);
  total.plain = total.sum;
  if (ctx.training()) {
    matmul_outer(ctx, head.gradient, In<B>(dscores), states);
    matmul_transposed(ctx, into(dstates), In<B>(dscores), head.weight);
  }
  return total;
}

// The state of each document that scores are made of [documents, D], and dhidden [T, D] from its gradient: all zero but
// for the rows that were read.
template <class B>
void pool_states(Context<B>& ctx, View<B, typename B::Activation, 2> states, In<B> hidden, const TokenBatch<B>& batch,
                 Pooling pooling) {
  if (pooling == Pooling::last) return gather_rows(ctx, states, hidden, batch.last_rows);
  require(batch.key_rows.empty(), Fault::usage, "head.shared",
          "documents that share what they begin with have no rows of their own to take the mean of; expected "
          "Prompts::apart");
  mean_rows(ctx, states, hidden, batch.spans, batch.prefix);
}
template <class B>
void pool_states_backward(Context<B>& ctx, View<B, typename B::Activation, 2> dhidden, In<B> dstates,
                          const TokenBatch<B>& batch, Pooling pooling) {
  if (pooling == Pooling::last) return scatter_rows(ctx, dhidden, dstates, batch.last_rows);
  mean_rows_backward(ctx, dhidden, dstates, batch.spans, batch.prefix);
}

// The loss of a micro-batch and, in training, dhidden [T, D] (zero where nothing is supervised). 'denominator' is what
// the objective counts, over the whole step.
template <class B, class O>
Loss head_and_loss(Context<B>& ctx, const O& objective, HeadOf<B> head, In<B> hidden,
                   View<B, typename B::Activation, 2> dhidden, const TokenBatch<B>& batch, double denominator) {
  if constexpr (OneOfSeveral<O>) {
    return objective.visit(
        [&](const auto& chosen) { return head_and_loss(ctx, chosen, head, hidden, dhidden, batch, denominator); });
  } else {
    constexpr bool scores = ReadsScores<O, B>;
    require((head.kind == HeadKind::scores) == scores, Fault::usage, "head.kind",
            "the objective reads {} but the model has a {} head; expected them to fit; a score head is built with "
            "BuildOptions{{.scores = outputs}}",
            scores ? "scores" : "log-probabilities", scores ? "language" : "score");
    const Index count = scores ? batch.last_rows.size() : batch.rows.size();
    const auto scope = ctx.scope();
    const auto states = scratch<typename B::Activation>(ctx, count, hidden.cols());
    if constexpr (scores)
      pool_states(ctx, states, hidden, batch, pooling_of(objective));
    else
      gather_rows(ctx, states, hidden, batch.rows);
    View<B, typename B::Activation, 2> dstates;
    if (ctx.training())
      dstates = scratch<typename B::Activation>(ctx, count, hidden.cols());
    else
      head.gradient = {};
    const Loss total = loss_of_states(ctx, objective, head, In<B>(states), dstates, batch, denominator);
    if (!ctx.training()) return total;
    if constexpr (scores)
      pool_states_backward(ctx, dhidden, In<B>(dstates), batch, pooling_of(objective));
    else
      scatter_rows(ctx, dhidden, In<B>(dstates), batch.rows);
    return total;
  }
}

// Brings numbers to the host, behind those that are there.
template <class B>
void append(Context<B>& ctx, BatchStaging<B>& staging, std::vector<double>& to,
            View<B, const typename B::Activation, 1> from) {
  ctx.run("download", {.bytes = 2.0 * static_cast<double>(from.bytes())}, [&] {
    staging.reference.resize(static_cast<std::size_t>(from.size()));
    B::download(ctx.stream(), staging.reference.data(), from.data, from.bytes());
    to.insert(to.end(), staging.reference.begin(), staging.reference.end());
  });
}

// Calls read(batch, states) with the supervised states [S, D] of a forward pass alone; with the adapters off, those of
// the base model.
template <class B, class M, class Read>
void read_states(Context<B>& ctx, BatchStaging<B>& staging, M& model, const HostBatch& host, Adapters adapters,
                 Read&& read) {
  using Act = typename B::Activation;
  require(adapters == Adapters::on || model.switchable(), Fault::usage, "reference.base",
          "this model trains weights of its own, so with its adapters off it is not what it began as; expected a model "
          "that was built with Base::kept");
  const auto evaluating = ctx.evaluating(adapters);
  const auto scope = ctx.scope();
  const auto keeping = ctx.keeping();
  const TokenBatch<B> batch = upload_batch_of(ctx, staging, model, host);
  const auto hidden = scratch<Act>(ctx, batch.size(), model.config().width);
  model.forward(ctx, batch, hidden, model.saved());
  const auto states = scratch<Act>(ctx, batch.supervised(), model.config().width);
  gather_rows(ctx, states, In<B>(hidden), batch.rows);
  read(batch, In<B>(states));
}

}  // namespace temper
