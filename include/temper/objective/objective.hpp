// SPDX-License-Identifier: MIT
// An objective says what it reads from the model, what a batch is, and what the loss and its gradient are. It is an
// aggregate of settings in one of two forms.
//
// Where the gradient is known before the forward pass (next-token cross-entropy and its kin), the head runs once:
//
//   CrossEntropy cross_entropy() const;
//
// Where the loss has to see log-probabilities first (preferences, policies), it reads one number for each supervised
// token and gives back one slope for each:
//
//   template <class B> using Input = LogProbs<B>;
//   template <class B> using Batch = PairBatch<B>;          // or one of one's own, with 'of' and 'count' as it has
//   them template <class B> Loss loss(Context<B>&, LogProbs<B>, const PairBatch<B>&, View<B, Act, 1> dlogp) const;
//
// since the gradient with respect to the logits is always dlogp * (onehot - softmax): one head serves them all. Losses
// are sums over what they count; the step's one denominator (rule D6) is applied once, inside, by way of the batch.
//
// Where it judges whole documents (a classifier, a reward), it reads the scores of a score head (BuildOptions::scores)
// in the same way, and gives back a slope for each:
//
//   template <class B> using Input = Scores<B>;
//   template <class B> using Batch = ScoreBatch<B>;         // or PairBatch<B>, or one of one's own
//   template <class B> Loss loss(Context<B>&, Scores<B>, const ScoreBatch<B>&, View<B, Act, 2> dscores) const;
//
// Where it also reads what the model says with its adapters off (the reference of DPO), it says so:
//
//   bool reads_reference() const;
#pragma once
#include <array>
#include <cmath>
#include <concepts>
#include <string_view>

#include "temper/core/layer.hpp"
#include "temper/data/problem.hpp"
#include "temper/model/batch.hpp"
#include "temper/objective/class_tally.hpp"

namespace temper {

// A number beside the loss that an objective has to tell, such as the margin of the rewards: its sum.
struct Metric {
  std::string_view name;  // a literal
  double sum = 0;
};

// Whether something that is predicted can be right or wrong: a number cannot.
enum class Predicts { no, yes };

// What a micro-batch adds to the step. Sums, not means: the mean is taken once, over the whole step.
struct Loss {
  double sum = 0;                      // of the training loss, smoothing and z-loss included
  double plain = 0;                    // without what training adds: what an evaluation tells
  double correct = 0;                  // predictions that were right
  double count = 0;                    // tokens (or pairs, or rows) summed over
  std::array<Metric, 6> metrics = {};  // those that have a name
  ClassTally classes = {};             // of an evaluated classification
  Predicts predicts = Predicts::yes;

  double mean() const { return sum / count; }
  double accuracy() const { return correct / count; }
  void add(std::string_view name, double value) {
    for (Metric& metric : metrics) {
      if (!metric.name.empty() && metric.name != name) continue;
      metric = {name, metric.sum + value};
      return;
    }
    fail(Fault::usage, "objective.metrics", "there is no room for metric '{}'; expected at most {} of them", name,
         metrics.size());
  }
  Loss& operator+=(const Loss& other) {
    sum += other.sum, plain += other.plain, correct += other.correct, count += other.count;
    classes += other.classes;
    if (other.predicts == Predicts::no) predicts = Predicts::no;
    for (const Metric& metric : other.metrics)
      if (!metric.name.empty()) add(metric.name, metric.sum);
    return *this;
  }
};

// The log-probability of each supervised token, and whose it is.
template <class B>
struct LogProbs {
  using Slopes = View<B, typename B::Activation, 1>;
  View<B, const typename B::Activation, 1> token;  // [S]
  View<B, const std::int32_t, 1> sequence_of;      // [S] ascending
  Index sequences = 0;
};

// What a score head says about each document, read off its last token or off the mean of its tokens (pooling_of).
template <class B>
struct Scores {
  using Slopes = View<B, typename B::Activation, 2>;
  View<B, const typename B::Activation, 2> score;  // [documents, outputs]
};

// Documents 2p and 2p + 1 are the chosen and the rejected side of pair p.
template <class B>
struct PairBatch {
  Index pairs = 0;
  double denominator = 1;                                   // pairs of the whole step
  View<B, const typename B::Activation, 1> reference = {};  // [S] what the model says with its adapters off, or empty

  static PairBatch of(const TokenBatch<B>& batch, double denominator) {
    return {batch.documents / 2, denominator, batch.reference};
  }
  // What of a batch the step's mean is taken over.
  static Index count(const HostBatch& batch) { return (std::ssize(batch.document_starts) - 1) / 2; }
};

// Documents with labels: for each score of each document the number it is held against.
template <class B>
struct ScoreBatch {
  View<B, const typename B::Activation, 2> labels;  // [documents, outputs]
  double denominator = 1;                           // documents of the whole step

  static ScoreBatch of(const TokenBatch<B>& batch, double denominator) {
    const Index outputs = batch.documents > 0 ? batch.labels.size() / batch.documents : 0;
    return {{batch.labels.data, {batch.documents, outputs}}, denominator};
  }
  static Index count(const HostBatch& batch) { return std::ssize(batch.document_starts) - 1; }
};

template <class O>
concept GradientKnown = requires(const O& objective) {
  { objective.cross_entropy() } -> std::same_as<CrossEntropy>;
};
template <class O, class B>
concept NamesItsInput = requires {
  typename O::template Input<B>;
};
template <class O, class B>
concept KnowsItsInput = NamesItsInput<O, B> && requires {
  typename O::template Input<B>::Slopes;
};
template <class O, class B>
concept ReadsScores = KnowsItsInput<O, B> && std::same_as<typename O::template Input<B>, Scores<B>>;
template <class O, class B>
concept NamesItsBatch = requires {
  typename O::template Batch<B>;
};
template <class O, class B>
concept MakesItsBatch = NamesItsBatch<O, B> && requires(const TokenBatch<B>& batch, const HostBatch& host) {
  { O::template Batch<B>::of(batch, 1.0) } -> std::same_as<typename O::template Batch<B>>;
  { O::template Batch<B>::count(host) } -> std::same_as<Index>;
};
template <class O, class B>
concept HasLoss = KnowsItsInput<O, B> && NamesItsBatch<O, B> &&
    requires(const O& objective, Context<B>& ctx, typename O::template Input<B> input,
             const typename O::template Batch<B>& batch, typename O::template Input<B>::Slopes slopes) {
  { objective.loss(ctx, input, batch, slopes) } -> std::same_as<Loss>;
};

// A student's: the gradient is known once the teacher's states are (Taught, objective/distillation.hpp).
template <class O>
concept FollowsTeacher = requires(const O& objective) {
  { objective.distill() } -> std::same_as<Distill>;
  *objective.teacher;
};

// Several objectives of which one is chosen at run time (AnyObjective).
template <class O>
concept OneOfSeveral = requires(const O& objective) {
  objective.visit(AnyVisitor{});
};

// A policy's settings (Ppo), whose steps are not this seam's.
template <class O>
concept DrawsItsTexts = requires(const O& settings) {
  settings.max_new_tokens;
  settings.minibatches;
};

template <class O, class B>
concept Objective = OneOfSeveral<O> || GradientKnown<O> || FollowsTeacher<O> ||(MakesItsBatch<O, B>&& HasLoss<O, B>);

template <class O>
bool reads_reference(const O& objective) {
  if constexpr (OneOfSeveral<O>)
    return objective.visit([](const auto& chosen) { return reads_reference(chosen); });
  else if constexpr (requires {
                       { objective.reads_reference() } -> std::same_as<bool>;
                     })
    return objective.reads_reference();
  else
    return false;
}

// How many logits of its teacher an objective's batches bring along (HostBatch::taught); 0: none, it is there itself.
template <class O>
Index kept_logits(const O& objective) {
  if constexpr (OneOfSeveral<O>)
    return objective.visit([](const auto& chosen) { return kept_logits(chosen); });
  else if constexpr (requires {
                       { objective.kept } -> std::convertible_to<Index>;
                     })
    return objective.kept;
  else
    return 0;
}

// Which state of a document its scores are made of: the last token's unless the objective has a 'Pooling pooling'.
template <class O>
Pooling pooling_of(const O& objective) {
  if constexpr (requires { requires std::same_as<decltype(O::pooling), Pooling>; })
    return objective.pooling;
  else
    return Pooling::last;
}

// What of a micro-batch the step's mean is taken over: supervised tokens where the head knows the gradient, else what
// the objective's batch counts. The denominator of a step is the sum over its micro-batches.
template <class B, class O>
Index counted(const O& objective, const HostBatch& batch) {
  if constexpr (OneOfSeveral<O>)
    return objective.visit([&](const auto& chosen) { return counted<B>(chosen, batch); });
  else if constexpr (GradientKnown<O> || FollowsTeacher<O>)
    return shape_of(batch).supervised;
  else
    return O::template Batch<B>::count(batch);
}

// The ladder that turns a wrong objective into one sentence.
template <class O, class B>
consteval bool check_objective() {
  static_assert(
      !DrawsItsTexts<O>,
      "temper: a policy learns from texts that it draws, by steps of its own; use plan_ppo_step and ppo_step; "
      "see docs/objectives.md, PPO");
  if constexpr (!DrawsItsTexts<O> && !GradientKnown<O> && !FollowsTeacher<O> && !OneOfSeveral<O>) {
    static_assert(NamesItsInput<O, B>,
                  "temper: this objective does not say what it reads; add 'template <class B> using "
                  "Input = LogProbs<B>;' or 'CrossEntropy cross_entropy() const'; see docs/objectives.md, Input");
    if constexpr (NamesItsInput<O, B>)
      static_assert(KnowsItsInput<O, B>,
                    "temper: this objective reads what no head gives; its Input is LogProbs<B>, a number for each "
                    "supervised token, or Scores<B>, a row for each document; see docs/objectives.md, Input");
    static_assert(NamesItsBatch<O, B>,
                  "temper: this objective does not say what a batch is; add 'template <class B> using "
                  "Batch = PairBatch<B>;'; see docs/objectives.md, Batch");
    if constexpr (NamesItsBatch<O, B>)
      static_assert(MakesItsBatch<O, B>,
                    "temper: this objective's Batch needs 'static Batch of(const TokenBatch<B>&, double denominator)' "
                    "and 'static Index count(const HostBatch&)'; see docs/objectives.md, Batch");
    if constexpr (ReadsScores<O, B> && NamesItsBatch<O, B>)
      static_assert(HasLoss<O, B>,
                    "temper: this objective needs 'template <class B> Loss loss(Context<B>&, Scores<B>, const "
                    "Batch<B>&, View<B, typename B::Activation, 2> dscores) const'; see docs/objectives.md, Loss");
    else if constexpr (KnowsItsInput<O, B> && NamesItsBatch<O, B>)
      static_assert(HasLoss<O, B>,
                    "temper: this objective needs 'template <class B> Loss loss(Context<B>&, Input<B>, const "
                    "Batch<B>&, View<B, typename B::Activation, 1> dlogp) const'; see docs/objectives.md, Loss");
  }
  return true;
}

inline double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
inline double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

// A pair's loss and its slopes with respect to the two sides' reductions.
struct PairTerm {
  double loss, chosen, rejected;
};
enum class Reduce { sum, mean };

}  // namespace temper
