// SPDX-License-Identifier: MIT
// What an optimizer step is for a task: one update from supervised rows, or answers that are scored and then learned
// from.
#pragma once
#include <cmath>
#include <memory>

#include "temper/core/types.hpp"
#include "temper/io/json.hpp"

namespace temper_cli {

struct Prepared;

// What a step has done, for its line of metrics; where it failed, what it had done by then.
struct StepOutcome {
  temper::Index tokens = 0, supervised = 0, samples = 0;
  double loss = std::nan(""), grad_norm = std::nan("");
  temper::Json metrics = temper::Json::object();  // the task's own: '"training/kl": x'
};

class TaskStep {
 public:
  virtual ~TaskStep() = default;
  // Step 'number', counted from 0. What it computes depends on that number and the weights alone.
  virtual void run(temper::Index number, double rate, StepOutcome& outcome) = 0;
};

std::unique_ptr<TaskStep> open_supervised_step(Prepared& prepared);
std::unique_ptr<TaskStep> open_policy_step(Prepared& prepared);

}  // namespace temper_cli
