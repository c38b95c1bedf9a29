// SPDX-License-Identifier: MIT
// Who scores answers without a reward model: a rule, or a program of the user's (objective.reward_rule,
// reward_command).
#pragma once
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "temper/core/types.hpp"

namespace temper_cli {

// One answer to one prompt, as texts.
struct ScoredAnswer {
  std::string_view prompt = {}, response = {};
  std::string_view expected = {};  // what the row says the answer is, where it does
  temper::Index tokens = 0;        // of the response
  bool stopped = true;             // by its end token
};

class RewardSource {
 public:
  virtual ~RewardSource() = default;
  virtual std::vector<double> rewards(std::span<const ScoredAnswer> answers) = 0;
};

// 'exact_match': 1 where the response is what the row expects, but for space around it, else 0.
// 'regex:PATTERN': 1 where the pattern (PCRE2) matches somewhere in the response, else 0.
// 'length:N': minus the distance of the response's length in tokens to N, in units of N.
std::unique_ptr<RewardSource> open_reward_rule(std::string_view rule);

// Each answer is a line {"prompt", "response", "expected", "tokens", "stopped"}, 'expected' only where there is one.
std::unique_ptr<RewardSource> open_reward_command(std::string command,
                                                  std::chrono::milliseconds limit = std::chrono::minutes(10));

}  // namespace temper_cli
