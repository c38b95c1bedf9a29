// SPDX-License-Identifier: MIT
// The training step: plan it, then run it. A loop of one's own is made of these:
//
//   const Plan plan = plan_step(model, objective, optimizer, shapes);     every byte, before the first is allocated
//   Session session{model, optimizer, plan};
//   begin_step(session, model, number, denominator);        supervised tokens (or pairs) of the whole step
//   loss += forward_backward(session, model, objective, batch);                once for each micro-batch
//   const double norm = clip_gradients(session, model, 1.0);
//   update(session, model, optimizer, rate);
#pragma once
#include <cmath>
#include <memory>
#include <span>
#include <vector>

#include "temper/core/plan.hpp"
#include "temper/optimizer/optimizer.hpp"
#include "temper/train/micro_batch.hpp"
#include "temper/train/moves.hpp"

namespace temper {

struct SessionOptions {
  std::uint64_t seed = 42;  // of everything that is drawn: dropout
  int threads = 0;          // 0: all cores; results do not depend on it
};

// Shapes of the micro-batches to come: training and evaluation.
struct PlannedShapes {
  std::vector<BatchShape> training, evaluating;
};

// The update's own scratch, where it is more than a micro-batch's: nothing is kept then.
template <class Stream, class M, class R>
void plan_update(Plan& plan, Stream& stream, M& model, const R& optimizer) {
  using B = typename M::Backend;
  Memory<B> memory(Execution::planning);
  Arena arena = Arena::imaginary();
  Context<B> ctx(stream, arena, 0, Execution::planning);
  model.visit([&](auto& p) {
    auto state = optimizer.state(memory, p);
    if (p.update == Update::after_backward) apply(ctx, optimizer, p, state, {});
  });
  plan.of(Holder::optimizer) += memory.bytes()[static_cast<std::size_t>(Holder::optimizer)];
  if (arena.peak() > plan.arena_bytes()) plan.of(Holder::scratch) = arena.peak() - plan.of(Holder::kept_activations);
}

// The same documents with nothing shared.
inline BatchShape apart(BatchShape shape) {
  shape.shared = 0;
  return shape;
}

template <class M, class O, class R>
Plan plan_step(M& model, const O& objective, const R& optimizer, const PlannedShapes& shapes,
               SessionOptions options = {}) {
  using B = typename M::Backend;
  static_assert(check_objective<O, B>());
  static_assert(check_optimizer<R, B>());
  typename B::Stream stream(options.threads);
  Plan plan{.bytes = model.bytes(), .trained_elements = trained_elements(model)};

  plan.of(Holder::workspace) += stream.bytes();

  BatchStaging<B> staging;
  PlannedMoves<B, R> moves(optimizer);
  const auto run = [&](const BatchShape& shape, Mode mode) {
    Arena arena = Arena::imaginary();
    Context<B> ctx(stream, arena, options.seed, Execution::planning);
    ctx.set_mode(mode);
    ctx.set_mover(&moves);
    plan.most_tokens = std::max(plan.most_tokens, shape.tokens);
    plan.most_documents = std::max(plan.most_documents, shape.documents);
    ShapedBatch batch(can_share(model.config(), prefix_of(model)) ? shape : apart(shape));
    if (reads_reference(objective)) {
      std::vector<double> none;
      run_log_probs(ctx, staging, model, batch.host(), Adapters::off, none);
      batch.add_reference();
    }
    batch.add_top(kept_logits(objective));
    run_micro_batch(ctx, staging, model, objective, batch.host(), 1);
    model.visit([&](auto& p) {
      if (p.update == Update::after_backward) squares_of_gradient(ctx, p, 0);
    });
    if (arena.peak() <= plan.arena_bytes()) return;
    plan.of(Holder::kept_activations) = arena.kept_at_peak();
    plan.of(Holder::scratch) = arena.peak() - arena.kept_at_peak();
    plan.operations = ctx.operations();
  };
  for (const BatchShape& shape : shapes.training) run(shape, Mode::training);
  for (const BatchShape& shape : shapes.evaluating) run(shape, Mode::evaluating);
  plan_update(plan, stream, model, optimizer);
  return plan;
}

// The plan made real: the stream, the arena, the optimizer's state.
template <class B, class R>
class Session {
 public:
  using State = typename R::template State<B>;

  template <class M>
  Session(M& model, const R& optimizer, const Plan& plan, SessionOptions options = {})
      : stream_(options.threads),
        memory_(Execution::running),
        block_(memory_.template allocate<std::byte, 1>(Holder::scratch, {static_cast<Index>(plan.arena_bytes())})),
        arena_(block_.data, plan.arena_bytes()),
        context_(stream_, arena_, options.seed, Execution::running) {
    model.visit([&](auto& p) {
      states_.push_back(optimizer.state(memory_, p));
      made_for_.push_back(held(p));
      states_.back().visit([&](std::string_view, auto tensor) { zero(context_, tensor); });
    });
    staging_.reserve(plan.most_tokens + plan.most_documents * prefix_of(model), plan.most_documents,
                     model.config().head_width);
    reference_.reserve(static_cast<std::size_t>(plan.most_tokens));
    bytes_ = model.bytes();
    for (std::size_t h = 0; h < bytes_.size(); ++h) bytes_[h] += memory_.bytes()[h];
    bytes_[static_cast<std::size_t>(Holder::workspace)] += stream_.bytes();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Context<B>& context() { return context_; }
  BatchStaging<B>& staging() { return staging_; }
  std::vector<double>& reference() { return reference_; }
  std::vector<State>& states() { return states_; }  // in the order of visit
  // The state of a parameter, by its place in visit; it serves the one that it was made for.
  State& state_of(const Parameter<B>& p, std::size_t place) {
    require(place < states_.size() && made_for_[place] == held(p), Fault::usage, "step.other_model",
            "{} is not what this session was made for; expected the same model, and of several adapters the one that "
            "was chosen then; make a session for each",
            p.name);
    return states_[place];
  }
  MovesInBackward<B, R>& moves() { return moves_; }

  // What was really allocated, to be held against the plan.
  std::size_t allocated_bytes() const {
    std::size_t total = 0;
    for (const std::size_t n : bytes_) total += n;
    return total;
  }

  Step step = 0;
  Step number = 0;  // of the update: the step's, where a step has one update
  double denominator = 1;
  Index tokens_before = 0;  // of this step, in earlier micro-batches
  double gradient_scale = 1;

 private:
  static const void* held(const Parameter<B>& p) {
    return p.is_narrow() ? static_cast<const void*>(p.narrow.data) : p.value.data;
  }

  typename B::Stream stream_;
  Memory<B> memory_;
  View<B, std::byte, 1> block_;
  Arena arena_;
  Context<B> context_;
  BatchStaging<B> staging_;
  std::vector<State> states_;
  std::vector<const void*> made_for_;  // where the values of each lie
  MovesInBackward<B, R> moves_;
  std::vector<double> reference_;
  BytesByHolder bytes_{};
};
template <class M, class R>
Session(M&, const R&, const Plan&) -> Session<typename M::Backend, R>;
template <class M, class R>
Session(M&, const R&, const Plan&, SessionOptions) -> Session<typename M::Backend, R>;

// Gradients start at zero; every micro-batch of the step divides by the same denominator (rule D6).
template <class B, class R, class M>
void begin_step(Session<B, R>& session, M& model, Step number, double denominator) {
  require(denominator > 0, Fault::data, "step.nothing_supervised",
          "step {}: nothing is supervised; expected at least one token to learn; look at the rows with temper preview",
          number + 1);
  session.step = session.number = number;
  session.denominator = denominator;
  session.tokens_before = 0;
  session.gradient_scale = 1;
  session.context().set_mover(nullptr);
  std::size_t next = 0;
  model.visit([&](auto& p) {
    (void)session.state_of(p, next++);
    zero_gradient(session.context(), p);
  });
}

// The same where weights may be moved in backward (BuildOptions::update): by this rule, at this rate.
template <class B, class R, class M>
void begin_step(Session<B, R>& session, M& model, Step number, double denominator, const R& optimizer, double rate) {
  begin_step(session, model, number, denominator);
  session.moves().begin(model, optimizer, session.states(), number, {.number = session.number, .rate = rate});
  session.context().set_mover(&session.moves());
}
template <class B, class R, class M>
void begin_step(Session<B, R>&, M&, Step, double, const R&&, double) = delete;  // the rule is read until backward ends

// Runs the forward pass again with every layer looking at what it made, to name the first that is not finite.
template <class B, class R, class M>
[[noreturn]] void fail_not_finite(Session<B, R>& session, M& model, const HostBatch& host) {
  Context<B>& ctx = session.context();
  ctx.set_checking(Context<B>::Checking::on);
  const auto scope = ctx.scope();
  const auto keeping = ctx.keeping();
  try {
    const TokenBatch<B> batch = upload_batch_of(ctx, session.staging(), model, host);
    const auto hidden = scratch<typename B::Activation>(ctx, batch.size(), model.config().width);
    model.forward(ctx, batch, hidden, model.saved());
  } catch (...) {
    ctx.set_checking(Context<B>::Checking::off);
    throw;
  }
  ctx.set_checking(Context<B>::Checking::off);
  fail(Fault::numeric, "numeric.not_finite",
       "step {}: a value that is not finite left the head ({}); expected numbers; "
       "lower the learning rate, or look at the rows of this step",
       ctx.step() + 1, model.head().kind == HeadKind::scores ? "score" : "lm_head");
}

// The batch with what the base model says about its supervised tokens, where the objective reads that and the batch
// does not have it yet. The numbers lie in the session until the next batch.
template <class B, class R, class M, class O>
HostBatch with_reference(Session<B, R>& session, M& model, const O& objective, HostBatch batch) {
  if (!reads_reference(objective) || !batch.reference.empty()) return batch;
  run_log_probs(session.context(), session.staging(), model, batch, Adapters::off, session.reference());
  batch.reference = session.reference();
  return batch;
}

template <class B, class R, class M, class O>
Loss forward_backward(Session<B, R>& session, M& model, const O& objective, const HostBatch& given) {
  Context<B>& ctx = session.context();
  require(ctx.mover() == nullptr || !session.moves().any(), Fault::usage, "step.second_micro_batch",
          "step {}: a second micro-batch came when the first had moved the weights already; expected one a step, since "
          "they are moved in backward; build the model with Update::after_backward (training.update after_backward)",
          session.step + 1);
  const HostBatch batch = with_reference(session, model, objective, given);
  ctx.set_mode(Mode::training);
  ctx.set_position({.step = session.step, .first_token = session.tokens_before, .update = session.number});
  const Loss loss = run_micro_batch(ctx, session.staging(), model, objective, batch, session.denominator);
  if (!std::isfinite(loss.sum)) fail_not_finite(session, model, batch);
  session.tokens_before += rows_of(batch, model.config(), prefix_of(model));
  return loss;
}

// The loss alone: no gradient, no dropout.
template <class B, class R, class M, class O>
Loss evaluate(Session<B, R>& session, M& model, const O& objective, const HostBatch& given) {
  Context<B>& ctx = session.context();
  const HostBatch batch = with_reference(session, model, objective, given);
  ctx.set_mode(Mode::evaluating);
  ctx.set_position({.step = session.step});
  const Loss loss = run_micro_batch(ctx, session.staging(), model, objective, batch, 1);
  if (!std::isfinite(loss.sum)) fail_not_finite(session, model, batch);
  return loss;
}

// The norm over all trained parameters, as torch.nn.utils.clip_grad_norm_: gradients shrink by max / (norm + 1e-6)
// where that is below 1. 'largest' 0: no clipping. Nothing is rewritten: update applies the scale.
template <class B, class R, class M>
double clip_gradients(Session<B, R>& session, M& model, double largest) {
  double squares = 0;
  std::size_t place = 0;
  model.visit([&](auto& p) {
    const bool moved = p.update == Update::in_backward;
    require(!moved || largest <= 0, Fault::usage, "step.clipped_too_late",
            "step {}: {} has been moved in backward, before the norm of all gradients was known; expected no clipping; "
            "clip to 0 (training.max_grad_norm null), or build the model with Update::after_backward",
            session.step + 1, p.name);
    squares += moved ? session.moves().squares(place) : squares_of_gradient(session.context(), p, session.step);
    ++place;
  });
  const double norm = std::sqrt(squares);
  session.gradient_scale = largest > 0 ? std::min(1.0, largest / (norm + 1e-6)) : 1;
  return norm;
}

// [update]
template <class B, class R, class M>
void update(Session<B, R>& session, M& model, const R& optimizer, double rate) {
  std::size_t next = 0;
  model.visit([&](auto& p) {
    auto& state = session.state_of(p, next++);
    if (p.update == Update::in_backward) return;
    apply(session.context(), optimizer, p, state,
          {.number = session.number, .rate = rate, .gradient_scale = session.gradient_scale});
  });
}
// [/update]

}  // namespace temper
