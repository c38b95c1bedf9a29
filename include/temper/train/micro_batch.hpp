// SPDX-License-Identifier: MIT
// One micro-batch through model and objective: the code that a step runs, and that a plan runs without executing it.
#pragma once
#include <cmath>

#include "temper/model/heads.hpp"

namespace temper {

// What an objective's teacher has at the supervised positions; empty where it has none. Scratch of the enclosing scope.
template <class B, class O>
TaughtStates<B> taught_states(Context<B>& ctx, BatchStaging<B>& staging, const O& objective, const HostBatch& host) {
  if constexpr (OneOfSeveral<O>)
    return objective.visit([&](const auto& chosen) { return taught_states(ctx, staging, chosen, host); });
  else if constexpr (FollowsTeacher<O>) {
    if (host.planned_top > 0 || !host.taught.rest.empty()) return upload_top(ctx, staging, host);
    require(objective.teacher != nullptr, Fault::usage, "batch.taught",
            "a batch brings nothing of a teacher and the objective has none; expected HostBatch::taught for its {} "
            "supervised tokens, or Taught's teacher",
            shape_of(host).supervised);
    return objective.teacher->states(ctx, staging, host);
  } else {
    return {};
  }
}

// Whether there is a way back from this loss; a plan always takes it.
template <class B>
bool is_sound(const Context<B>& ctx, const Loss& loss) {
  return ctx.planning() || std::isfinite(loss.sum);
}

// Calls loss_of(head), with a place for the head's gradient where it has none of its own, and then has it moved.
template <class B, class M, class LossOf>
Loss with_head(Context<B>& ctx, M& model, LossOf&& loss_of) {
  HeadOf<B> head = model.head();
  if (!head.moved || !ctx.training()) return loss_of(head);
  const auto scope = ctx.scope();
  head.gradient = gradient_of(ctx, *head.moved);
  const Loss loss = loss_of(head);
  if (is_sound(ctx, loss)) gradient_is_whole(ctx, *head.moved, head.gradient);
  return loss;
}

// Forward, loss, and in training backward: gradients of the trained parameters are added to. A loss that is not finite
// has no backward; see forward_backward.
// [run_micro_batch]
template <class B, class M, class O>
Loss run_micro_batch(Context<B>& ctx, BatchStaging<B>& staging, M& model, const O& objective, const HostBatch& host,
                     double denominator) {
  const auto scope = ctx.scope();
  const auto keeping = ctx.keeping();
  const TaughtStates<B> taught = taught_states(ctx, staging, objective, host);
  TokenBatch<B> batch = upload_batch_of(ctx, staging, model, host);
  batch.taught = taught;
  const auto hidden = scratch<typename B::Activation>(ctx, batch.size(), model.config().width);
  model.forward(ctx, batch, hidden, model.saved());
  // The loss is the last reader of the hidden states: their gradient takes their place.
  const Loss loss = with_head(ctx, model, [&](const HeadOf<B>& head) {
    return head_and_loss(ctx, objective, head, In<B>(hidden), hidden, batch, denominator);
  });
  if (ctx.training() && is_sound(ctx, loss)) model.backward(ctx, batch, hidden, model.saved());
  return loss;
}
// [/run_micro_batch]

// The log-probability of each supervised token, [S], forward alone; with the adapters off, what the base model says.
template <class B, class M>
void run_log_probs(Context<B>& ctx, BatchStaging<B>& staging, M& model, const HostBatch& host, Adapters adapters,
                   std::vector<double>& result) {
  using Act = typename B::Activation;
  result.clear();
  read_states(ctx, staging, model, host, adapters, [&](const TokenBatch<B>& batch, In<B> states) {
    const auto logp = scratch<Act>(ctx, batch.supervised()), lse = scratch<Act>(ctx, batch.supervised());
    log_probs(ctx, logp, lse, states, model.head(adapters).weight, batch.targets);
    append<B>(ctx, staging, result, logp);
  });
}

// A batch of a given shape, for planning: what the tokens are does not matter.
class ShapedBatch {
 public:
  explicit ShapedBatch(const BatchShape& shape)
      : supervised_(static_cast<std::size_t>(shape.rows()), 0),
        labels_(static_cast<std::size_t>(shape.labels), 0),
        shared_(shape.shared) {
    std::fill_n(supervised_.begin(), shape.supervised, std::uint8_t{1});
    starts_.push_back(0);
    // The longest document first; the others share what is left.
    for (Index d = 0; d < shape.documents; ++d) {
      const Index left = shape.rows() - starts_.back(), others = shape.documents - 1 - d;
      const Index length = d == 0 ? shape.longest : others == 0 ? left : std::min(shape.longest, left - others);
      starts_.push_back(starts_.back() + length);
      tokens_.resize(static_cast<std::size_t>(starts_.back()), static_cast<TokenId>(d % 2));  // nothing in common
    }
    starts_.back() = shape.rows();
    tokens_.resize(static_cast<std::size_t>(shape.rows()));
  }
  HostBatch host() const {
    HostBatch batch{tokens_, tokens_, supervised_, starts_, reference_};
    batch.labels = labels_;
    batch.planned_top = top_;
    if (shared_ > 0) batch.prompts = Prompts::shared, batch.planned_keys = shared_;
    return batch;
  }
  // As for an objective whose batches bring what was kept of its teacher.
  void add_top(Index kept) { top_ = kept; }
  // As for an objective that reads one.
  void add_reference() { reference_.assign(static_cast<std::size_t>(shape_of(host()).supervised), 0.0); }

 private:
  std::vector<TokenId> tokens_;
  std::vector<std::uint8_t> supervised_;
  std::vector<Index> starts_;
  std::vector<double> reference_, labels_;
  Index shared_ = 0, top_ = 0;
};

}  // namespace temper
