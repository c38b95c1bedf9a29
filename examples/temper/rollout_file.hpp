// SPDX-License-Identifier: MIT
// Recorded answers (objective.rollouts): a line each, {"prompt": [ids], "response": [ids], "reward": x}, taken in order
// instead of sampling, so that an update can be repeated and compared.
#pragma once
#include <filesystem>
#include <vector>

#include "temper/core/types.hpp"

namespace temper_cli {

struct RecordedRollout {
  std::vector<temper::TokenId> prompt, response;
  double reward = 0;
};

// All of them; ids must be below 'vocabulary', and prompt and response may not be empty.
std::vector<RecordedRollout> read_rollouts(const std::filesystem::path& path, temper::Index vocabulary);

}  // namespace temper_cli
