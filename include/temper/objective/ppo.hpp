// SPDX-License-Identifier: MIT
// Proximal policy optimization (Schulman et al. 2017) of a language model, as TRL's: the reward of a token is what it
// costs to leave the reference, and the last one's is the answer's score too.
//   r_t = -kl (log p_t - log p_ref,t), r_last += score          A = whitened gae(r, V), R = gae + V
//   loss = mean max(-A ratio, -A clip(ratio, 1 -+ clip)), ratio = p / p_when_drawn
//        + value_coefficient mean max((V - R)^2, (clip(V, V_old -+ value_clip) - R)^2) / 2
// GRPO and REINFORCE leave-one-out are the same with one advantage for all tokens of an answer, made of score minus
// kl times the answer's divergence, and without values. Means are over the response tokens of the minibatch.
#pragma once
#include <optional>
#include <vector>

#include "temper/objective/advantage.hpp"
#include "temper/objective/kl.hpp"

namespace temper {

struct Ppo {
  double kl = 0.05;
  double clip = 0.2, value_clip = 0.2, value_coefficient = 0.1;
  double gamma = 1, lambda = 0.95;
  Index epochs = 4, minibatches = 1;
  Index max_new_tokens = 64;
  double temperature = 0.7;
  std::optional<double> missing_eos_penalty = {};  // taken from the score of an answer that did not end
  Advantage advantage = Advantage::gae;
  Index group_size = 8;  // answers to each prompt, where the advantage compares them
  KlEstimator kl_estimator = KlEstimator::k1;

  bool has_values() const { return advantage == Advantage::gae; }
};

inline double score_with_penalty(const Ppo& ppo, double score, bool stopped) {
  return stopped ? score : score - ppo.missing_eos_penalty.value_or(0);
}

// Rewards of one response's tokens. 'kl' is the coefficient: the setting, or what an adaptive one has become.
inline void shape_rewards(std::span<double> rewards, std::span<const double> logp, std::span<const double> reference,
                          double score, double kl, KlEstimator estimator) {
  require(rewards.size() == logp.size() && reference.size() == logp.size() && !logp.empty(), Fault::usage, "ppo.shape",
          "shape_rewards: {} rewards, {} log-probabilities and {} of the reference; expected equal, and one at least",
          rewards.size(), logp.size(), reference.size());
  for (std::size_t t = 0; t < logp.size(); ++t) rewards[t] = -kl * kl_of_token(estimator, logp[t], reference[t]);
  rewards.back() += score;
}

// [policy_term]
// The loss at one token and its slope by the new log-probability. Clipped where the gradient is cut off.
struct PolicyTerm {
  double loss, slope, ratio;
  bool clipped;
};
inline PolicyTerm policy_term(double logp, double drawn, double advantage, double clip) {
  const double ratio = std::exp(logp - drawn);
  const double free = -advantage * ratio, held = -advantage * std::clamp(ratio, 1 - clip, 1 + clip);
  if (held > free) return {held, 0, ratio, true};
  return {free, free, ratio, false};
}
// [/policy_term]

// The same by the new value.
struct ValueTerm {
  double loss, slope;
};
inline ValueTerm value_term(double value, double old, double expected, double clip) {
  const double free = value - expected, held = std::clamp(value, old - clip, old + clip) - expected;
  if (held * held > free * free) return {held * held / 2, 0};
  return {free * free / 2, free};
}

// What a step's answers brought: everything by token, one response after the other.
struct Experience {
  std::vector<Index> starts = {0};                    // [responses + 1]
  std::vector<double> logp, reference, values = {};   // [T] when drawn; values only where the advantage needs them
  std::vector<double> scores = {};                    // [responses] with the penalty
  std::vector<double> advantages = {}, returns = {};  // [T] made of the above

  Index responses() const { return std::ssize(starts) - 1; }
  Index tokens() const { return starts.back(); }
  template <class Values>
  auto of_response(Values& values_by_token, Index response) const {
    const auto begin = static_cast<std::size_t>(starts[static_cast<std::size_t>(response)]);
    return std::span(values_by_token)
        .subspan(begin, static_cast<std::size_t>(starts[static_cast<std::size_t>(response) + 1]) - begin);
  }
  // The mean over responses of the summed estimate: k1 is the metric 'kl'.
  double divergence(KlEstimator estimator) const {
    double sum = 0;
    for (std::size_t t = 0; t < logp.size(); ++t) sum += kl_of_token(estimator, logp[t], reference[t]);
    return sum / static_cast<double>(std::max<Index>(1, responses()));
  }
};

// Fills advantages and returns.
inline void judge(const Ppo& ppo, double kl, Experience& experience) {
  const auto tokens = static_cast<std::size_t>(experience.tokens());
  const auto responses = static_cast<std::size_t>(experience.responses());
  require(experience.logp.size() == tokens && experience.reference.size() == tokens &&
              experience.scores.size() == responses && (!ppo.has_values() || experience.values.size() == tokens),
          Fault::usage, "ppo.shape",
          "{} responses of {} tokens have {} scores, {} log-probabilities, {} of the reference and {} values; expected "
          "one for each",
          responses, tokens, experience.scores.size(), experience.logp.size(), experience.reference.size(),
          experience.values.size());
  std::vector<double> rewards(tokens), by_response(responses), compared(responses);
  experience.advantages.assign(tokens, 0);
  experience.returns.assign(tokens, 0);
  for (Index i = 0; i < experience.responses(); ++i) {
    const auto own = experience.of_response(rewards, i);
    shape_rewards(own, experience.of_response(experience.logp, i), experience.of_response(experience.reference, i),
                  experience.scores[static_cast<std::size_t>(i)], kl, ppo.kl_estimator);
    if (ppo.has_values())
      gae(experience.of_response(experience.advantages, i), experience.of_response(experience.returns, i), own,
          experience.of_response(experience.values, i), ppo.gamma, ppo.lambda);
    for (const double reward : own) by_response[static_cast<std::size_t>(i)] += reward;
  }
  if (ppo.has_values()) return whiten(experience.advantages);
  if (ppo.advantage == Advantage::group)
    group_advantages(compared, by_response, ppo.group_size);
  else
    leave_one_out_advantages(compared, by_response, ppo.group_size);
  for (Index i = 0; i < experience.responses(); ++i)
    for (double& advantage : experience.of_response(experience.advantages, i))
      advantage = compared[static_cast<std::size_t>(i)];
}

// Sums over response tokens; the means of a minibatch are the metrics of an update.
struct PpoSums {
  double policy = 0, value = 0;  // losses, without value_coefficient
  double ratio = 0, clipped = 0, squares = 0, tokens = 0;

  double loss(const Ppo& ppo) const { return (policy + ppo.value_coefficient * value) / tokens; }
  double value_loss() const { return value / tokens; }
  double mean_ratio() const { return ratio / tokens; }
  double clip_fraction() const { return clipped / tokens; }
  double approximate_kl() const { return squares / tokens / 2; }
  PpoSums& operator+=(const PpoSums& other) {
    policy += other.policy, value += other.value, ratio += other.ratio, clipped += other.clipped;
    squares += other.squares, tokens += other.tokens;
    return *this;
  }
};

// Tokens from 'first' on of the experience, with their new log-probabilities and values. dlogp and dvalues are slopes
// of the loss, whose denominator is the number of response tokens of the whole minibatch.
inline PpoSums ppo_loss(const Ppo& ppo, const Experience& experience, Index first, std::span<const double> logp,
                        std::span<const double> values, std::span<double> dlogp, std::span<double> dvalues,
                        double denominator) {
  const auto begin = static_cast<std::size_t>(first);
  const std::size_t valued = ppo.has_values() ? logp.size() : 0;
  require(first >= 0 && begin + logp.size() <= experience.advantages.size() && dlogp.size() == logp.size() &&
              values.size() == valued && dvalues.size() == valued && denominator > 0,
          Fault::usage, "ppo.shape",
          "ppo_loss: tokens {} to {} of {}, {} slopes, {} values with {} slopes, over {}; expected tokens that were "
          "judged, a slope for each, and {} values",
          first, begin + logp.size(), experience.advantages.size(), dlogp.size(), values.size(), dvalues.size(),
          denominator, valued);
  PpoSums sums{.tokens = static_cast<double>(logp.size())};
  for (std::size_t t = 0; t < logp.size(); ++t) {
    const double drawn = experience.logp[begin + t], apart = logp[t] - drawn;
    const PolicyTerm policy = policy_term(logp[t], drawn, experience.advantages[begin + t], ppo.clip);
    dlogp[t] = policy.slope / denominator;
    sums.policy += policy.loss;
    sums.ratio += policy.ratio;
    sums.clipped += policy.clipped ? 1 : 0;
    sums.squares += apart * apart;
    if (valued == 0) continue;
    const ValueTerm value =
        value_term(values[t], experience.values[begin + t], experience.returns[begin + t], ppo.value_clip);
    dvalues[t] = ppo.value_coefficient * value.slope / denominator;
    sums.value += value.loss;
  }
  return sums;
}

}  // namespace temper
