// SPDX-License-Identifier: MIT
// By how much an answer, or a token of one, was better than expected.
//   gae            delta_t = r_t + gamma V_{t+1} - V_t, A_t = delta_t + gamma lambda A_{t+1}   (Schulman et al. 2016)
//   group          (r - mean of the prompt's answers) / (their deviation + 1e-4)      (GRPO, Shao et al. 2024, as TRL)
//   leave_one_out  r - mean of the prompt's other answers                             (RLOO, Ahmadian et al. 2024)
#pragma once
#include <cmath>
#include <span>

#include "temper/core/error.hpp"
#include "temper/core/types.hpp"

namespace temper {

enum class Advantage { gae, group, leave_one_out };

struct Moments {
  double mean = 0, variance = 0;  // unbiased; 0 of a single number
};
inline Moments moments_of(std::span<const double> values) {
  Moments moments;
  const auto count = static_cast<double>(values.size());
  for (const double x : values) moments.mean += x / count;
  for (const double x : values) moments.variance += (x - moments.mean) * (x - moments.mean);
  moments.variance = values.size() > 1 ? moments.variance / (count - 1) : 0;
  return moments;
}

// Mean 0 and variance 1, over all response tokens of a step.
inline void whiten(std::span<double> values) {
  const Moments moments = moments_of(values);
  for (double& x : values) x = (x - moments.mean) / std::sqrt(moments.variance + 1e-8);
}

// Of one response; the value after its last token is 0. Returns are what values should have been: A + V.
inline void gae(std::span<double> advantages, std::span<double> returns, std::span<const double> rewards,
                std::span<const double> values, double gamma, double lambda) {
  require(advantages.size() == rewards.size() && returns.size() == rewards.size() && values.size() == rewards.size(),
          Fault::usage, "ppo.shape", "gae: {} rewards, {} values, {} advantages and {} returns; expected equal",
          rewards.size(), values.size(), advantages.size(), returns.size());
  double next_value = 0, next = 0;
  for (std::size_t t = rewards.size(); t-- > 0;) {
    const double delta = rewards[t] + gamma * next_value - values[t];
    next = delta + gamma * lambda * next;
    next_value = values[t];
    advantages[t] = next;
    returns[t] = next + values[t];
  }
}

// Of responses: those of one prompt stand together, 'group' of them.
inline void check_groups(std::size_t responses, Index group) {
  require(group >= 2 && responses % static_cast<std::size_t>(group) == 0, Fault::usage, "ppo.group",
          "{} responses in groups of {}; expected whole groups of at least 2, the answers of one prompt", responses,
          group);
}
inline void group_advantages(std::span<double> advantages, std::span<const double> rewards, Index group) {
  check_groups(rewards.size(), group);
  const auto size = static_cast<std::size_t>(group);
  for (std::size_t begin = 0; begin < rewards.size(); begin += size) {
    const Moments moments = moments_of(rewards.subspan(begin, size));
    for (std::size_t i = begin; i < begin + size; ++i)
      advantages[i] = (rewards[i] - moments.mean) / (std::sqrt(moments.variance) + 1e-4);
  }
}
inline void leave_one_out_advantages(std::span<double> advantages, std::span<const double> rewards, Index group) {
  check_groups(rewards.size(), group);
  const auto size = static_cast<std::size_t>(group);
  for (std::size_t begin = 0; begin < rewards.size(); begin += size) {
    double sum = 0;
    for (const double reward : rewards.subspan(begin, size)) sum += reward;
    for (std::size_t i = begin; i < begin + size; ++i)
      advantages[i] = rewards[i] - (sum - rewards[i]) / static_cast<double>(group - 1);
  }
}

}  // namespace temper
