// SPDX-License-Identifier: MIT
// The reward model of a PPO run, compiled once for all engines: a frozen decoder with one score, read off the last
// token of prompt and response.
#pragma once
#include <filesystem>
#include <memory>
#include <vector>

#include "temper/backend/cpu/memory.hpp"
#include "temper/core/memory.hpp"
#include "temper/data/tokenizer.hpp"
#include "temper/model/batch.hpp"

namespace temper_cli {

class RunRewardModel {
 public:
  using B = temper::Cpu<float>;

  virtual ~RunRewardModel() = default;
  // Appends a score for each document.
  virtual void score(temper::Context<B>& ctx, temper::BatchStaging<B>& staging, const temper::HostBatch& batch,
                     std::vector<double>& scores) = 0;
  virtual const temper::BytesByHolder& bytes() const = 0;
};

// While planning there are shapes and bytes alone. 'vocabulary' is the policy's.
std::unique_ptr<RunRewardModel> open_reward_model(const std::filesystem::path& folder, temper::Index vocabulary,
                                                  temper::Execution execution);

// It must read the policy's tokens as they are.
void require_tokens_of_policy(const temper::Tokenizer& policy, const std::filesystem::path& folder);

}  // namespace temper_cli
