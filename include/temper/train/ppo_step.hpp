// SPDX-License-Identifier: MIT
// An optimizer step of PPO, GRPO or REINFORCE leave-one-out: answers and their scores in, a policy that prefers the
// better ones out. What was drawn is read once more - values, and what the reference says - and judged
// (objective/ppo.hpp); then several passes over it, in minibatches, each an update. No dropout: the ratio compares the
// policy with itself, and is exactly 1 at the first minibatch. A loop of one's own:
//
//   Policy policy{model, ValueHead::one};
//   Plan plan = plan_ppo_step(policy, optimizer, shape);          of the largest micro-batch of answers
//   Session session{policy, optimizer, plan};
//   Rollouts rollouts(model, session.context().stream(), ...);
//   for each step: answers = rollouts(prompts), scores of one's own,
//     ppo_step(session, policy, ppo, optimizer, answers, scores, {.number = step, .rate = rate});
#pragma once
#include <numeric>

#include "temper/data/order.hpp"
#include "temper/model/policy.hpp"
#include "temper/objective/ppo.hpp"
#include "temper/train/answers.hpp"
#include "temper/train/step.hpp"

namespace temper {

enum class MinibatchOrder { as_given, shuffled };

struct PpoStepSettings {
  Step number = 0;
  double rate = 0;
  double largest_norm = 1;  // of a gradient; 0: any
  Index batch_size = 4;     // answers in a micro-batch
  MinibatchOrder order = MinibatchOrder::as_given;
  std::uint64_t seed = 42;  // of that order
};

// What the step's answers brought, all but the judgement.
template <class B, class R, class M>
Experience read_answers(Session<B, R>& session, Policy<M>& policy, const Ppo& ppo, std::span<const Answer> answers,
                        std::span<const double> scores, Index batch_size, double& entropy) {
  require(answers.size() == scores.size() && !answers.empty() && batch_size > 0, Fault::usage, "ppo.shape",
          "{} answers with {} scores in micro-batches of {}; expected a score for each and at least one",
          answers.size(), scores.size(), batch_size);
  std::vector<Index> all(answers.size());
  std::iota(all.begin(), all.end(), Index{0});
  PolicyReading drawn, reference;
  Context<B>& ctx = session.context();
  over_answers(all, batch_size, [&](std::span<const Index> which) {
    const MicroBatch batch = batch_of_answers(answers, which);
    ctx.set_position({.step = session.step});
    read_policy(ctx, session.staging(), policy, batch.host(), ppo.temperature, Adapters::on, drawn);
    for (const double logp : drawn.logp)
      if (!std::isfinite(logp)) fail_not_finite(session, policy.model(), batch.host());
    read_policy(ctx, session.staging(), policy, batch.host(), ppo.temperature, Adapters::off, reference);
  });
  Experience experience{.logp = std::move(drawn.logp), .reference = std::move(reference.logp)};
  experience.values = std::move(drawn.values);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    experience.starts.push_back(experience.starts.back() + std::ssize(answers[i].response));
    experience.scores.push_back(score_with_penalty(ppo, scores[i], answers[i].stopped));
  }
  entropy = moments_of(drawn.entropy).mean;
  return experience;
}

// The loss of a minibatch and its gradient, micro-batch after micro-batch.
template <class B, class R, class M>
PpoSums ppo_gradient(Session<B, R>& session, Policy<M>& policy, const Ppo& ppo, const Experience& experience,
                     std::span<const Answer> answers, std::span<const Index> minibatch, Index batch_size) {
  Context<B>& ctx = session.context();
  PpoSums sums;
  TokenSlopes slopes;
  over_answers(minibatch, batch_size, [&](std::span<const Index> which) {
    const MicroBatch batch = batch_of_answers(answers, which);
    const auto loss = [&](TokenSlopes& t) {
      std::size_t at = 0;
      for (const Index i : which) {
        const Index first = experience.starts[static_cast<std::size_t>(i)];
        const std::size_t count = answers[static_cast<std::size_t>(i)].response.size();
        const std::size_t valued = ppo.has_values() ? count : 0, value_at = ppo.has_values() ? at : 0;
        sums += ppo_loss(ppo, experience, first, std::span(t.logp).subspan(at, count),
                         std::span(t.values).subspan(value_at, valued), std::span(t.dlogp).subspan(at, count),
                         std::span(t.dvalues).subspan(value_at, valued), session.denominator);
        at += count;
      }
    };
    ctx.set_mode(Mode::training);
    ctx.set_position({.step = session.step, .first_token = session.tokens_before, .update = session.number});
    run_policy_gradient(ctx, session.staging(), policy, batch.host(), ppo.temperature, slopes, loss);
    if (!std::isfinite(sums.loss(ppo))) fail_not_finite(session, policy.model(), batch.host());
    session.tokens_before += std::ssize(batch.tokens);
  });
  return sums;
}

// [ppo_step]
template <class B, class R, class M>
PpoStepMetrics ppo_step(Session<B, R>& session, Policy<M>& policy, const Ppo& ppo, const R& optimizer,
                        std::span<const Answer> answers, std::span<const double> scores,
                        const PpoStepSettings& settings) {
  require(policy.has_values() == ppo.has_values(), Fault::usage, "ppo.values",
          "the policy has {} value head; expected one with the advantage gae, and none with the others",
          policy.has_values() ? "a" : "no");
  PpoStepMetrics metrics;
  session.step = settings.number;
  Experience experience = read_answers(session, policy, ppo, answers, scores, settings.batch_size, metrics.entropy);
  judge(ppo, ppo.kl, experience);
  metrics.kl = experience.divergence(KlEstimator::k1);
  metrics.kl_coefficient = ppo.kl;
  metrics.reward = moments_of(experience.scores).mean;
  metrics.tokens = experience.tokens();

  const Index count = std::ssize(answers);
  std::vector<Index> order(answers.size());
  for (Index epoch = 0; epoch < ppo.epochs; ++epoch) {
    const Permutation shuffled(count, Random{settings.seed, random_site("minibatch order"),
                                             static_cast<std::uint32_t>(settings.number * ppo.epochs + epoch)});
    for (Index i = 0; i < count; ++i)
      order[static_cast<std::size_t>(i)] = settings.order == MinibatchOrder::shuffled ? shuffled[i] : i;
    for (Index m = 0; m < ppo.minibatches; ++m) {
      const Index begin = count * m / ppo.minibatches, end = count * (m + 1) / ppo.minibatches;
      if (begin == end) continue;  // fewer answers than minibatches
      const auto minibatch =
          std::span<const Index>(order).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
      Index tokens = 0;
      for (const Index i : minibatch) tokens += std::ssize(answers[static_cast<std::size_t>(i)].response);
      begin_step(session, policy, settings.number, static_cast<double>(tokens));
      session.number = (settings.number * ppo.epochs + epoch) * ppo.minibatches + m;
      const PpoSums sums = ppo_gradient(session, policy, ppo, experience, answers, minibatch, settings.batch_size);
      metrics.grad_norm += clip_gradients(session, policy, settings.largest_norm);
      update(session, policy, optimizer, settings.rate);
      metrics.loss += sums.loss(ppo), metrics.value_loss += sums.value_loss();
      metrics.ratio += sums.mean_ratio(), metrics.clip_fraction += sums.clip_fraction();
      ++metrics.updates;
    }
  }
  for (double* mean : {&metrics.loss, &metrics.grad_norm, &metrics.ratio, &metrics.clip_fraction, &metrics.value_loss})
    *mean /= static_cast<double>(metrics.updates);
  return metrics;
}
// [/ppo_step]

// Every byte of a step whose micro-batches are at most of this shape. 'also' is given the planning context, the staging
// and such a batch, for what else reads answers: a reward model.
template <class M, class R, class Also>
Plan plan_ppo_step(Policy<M>& policy, const R& optimizer, const BatchShape& shape, SessionOptions options,
                   Also&& also) {
  using B = typename M::Backend;
  static_assert(check_optimizer<R, B>());
  require(policy.model().scores() == 0, Fault::usage, "ppo.head",
          "a policy writes text but this model has a head of {} scores; expected a language model",
          policy.model().scores());
  policy.visit([](const auto& p) {
    require(p.update == Update::after_backward, Fault::usage, "ppo.update",
            "{} is to be moved in backward but a step of PPO has several updates; expected a model built with "
            "Update::after_backward (training.update after_backward)",
            p.name);
  });
  typename B::Stream stream(options.threads);
  Plan plan{.bytes = policy.bytes(), .trained_elements = trained_elements(policy)};
  plan.of(Holder::workspace) += stream.bytes();
  plan.most_tokens = shape.tokens;
  plan.most_documents = shape.documents;
  Arena arena = Arena::imaginary();
  Context<B> ctx(stream, arena, options.seed, Execution::planning);
  ctx.set_mode(Mode::training);
  BatchStaging<B> staging;
  const ShapedBatch batch(shape);
  PolicyReading none;
  read_policy(ctx, staging, policy, batch.host(), 1, Adapters::on, none);
  read_policy(ctx, staging, policy, batch.host(), 1, Adapters::off, none);
  also(ctx, staging, batch.host());
  TokenSlopes slopes;
  ctx.forget_operations();
  run_policy_gradient(ctx, staging, policy, batch.host(), 1, slopes, [](TokenSlopes&) {});
  policy.visit([&](auto& p) { squares_of_gradient(ctx, p, 0); });
  plan.of(Holder::kept_activations) = arena.kept_at_peak();
  plan.of(Holder::scratch) = arena.peak() - arena.kept_at_peak();
  plan.operations = ctx.operations();
  plan_update(plan, stream, policy, optimizer);
  return plan;
}
template <class M, class R>
Plan plan_ppo_step(Policy<M>& policy, const R& optimizer, const BatchShape& shape, SessionOptions options = {}) {
  return plan_ppo_step(policy, optimizer, shape, options, [](auto&, auto&, const HostBatch&) {});
}

}  // namespace temper
