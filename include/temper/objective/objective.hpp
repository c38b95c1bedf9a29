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
//   template <class B> using Batch = PairBatch<B>;          // or an aggregate of one's own with the same two members
//   template <class B> Loss loss(Context<B>&, LogProbs<B>, const PairBatch<B>&, View<B, Act, 1> dlogp) const;
//
// since the gradient with respect to the logits is always dlogp * (onehot - softmax): one head serves them all. Losses
// are sums over what they count; the step's one denominator (rule D6) is applied once, inside, by way of the batch.
#pragma once
#include <cmath>
#include <concepts>

#include "temper/model/batch.hpp"

namespace temper {

// What a micro-batch adds to the step. Sums, not means: the mean is taken once, over the whole step.
struct Loss {
  double sum = 0;            // of the training loss, smoothing and z-loss included
  double cross_entropy = 0;  // of the plain next-token cross-entropy, where the objective has one
  double correct = 0;        // predictions that were right
  double count = 0;          // tokens (or pairs) summed over

  double mean() const { return sum / count; }
  double accuracy() const { return correct / count; }
  Loss& operator+=(const Loss& other) {
    sum += other.sum, cross_entropy += other.cross_entropy, correct += other.correct, count += other.count;
    return *this;
  }
};

// The log-probability of each supervised token, and whose it is.
template <class B>
struct LogProbs {
  View<B, const typename B::Activation, 1> token;  // [S]
  View<B, const std::int32_t, 1> sequence_of;      // [S] ascending
  Index sequences = 0;
};

// Documents 2p and 2p + 1 are the chosen and the rejected side of pair p.
template <class B>
struct PairBatch {
  Index pairs = 0;
  double denominator = 1;  // pairs of the whole step
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
concept NamesItsBatch = requires {
  typename O::template Batch<B>;
};
template <class O, class B>
concept HasLoss = NamesItsInput<O, B> && NamesItsBatch<O, B> &&
    requires(const O& objective, Context<B>& ctx, typename O::template Input<B> input,
             const typename O::template Batch<B>& batch, View<B, typename B::Activation, 1> dlogp) {
  { objective.loss(ctx, input, batch, dlogp) } -> std::same_as<Loss>;
};

template <class O, class B>
concept Objective = GradientKnown<O> || HasLoss<O, B>;

// The ladder that turns a wrong objective into one sentence.
template <class O, class B>
consteval bool check_objective() {
  if constexpr (!GradientKnown<O>) {
    static_assert(NamesItsInput<O, B>,
                  "temper: this objective does not say what it reads; add 'template <class B> using "
                  "Input = LogProbs<B>;' or 'CrossEntropy cross_entropy() const'; see docs/objectives.md, Input");
    static_assert(NamesItsBatch<O, B>,
                  "temper: this objective does not say what a batch is; add 'template <class B> using "
                  "Batch = PairBatch<B>;'; see docs/objectives.md, Batch");
    if constexpr (NamesItsInput<O, B> && NamesItsBatch<O, B>)
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
