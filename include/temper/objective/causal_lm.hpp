// SPDX-License-Identifier: MIT
// Next-token cross-entropy over the supervised positions: pre-training and supervised fine-tuning. Label smoothing as
// torch's CrossEntropyLoss, z-loss as PaLM's (Chowdhery et al. 2022).
#pragma once
#include "temper/objective/objective.hpp"

namespace temper {

struct CausalLm {
  double label_smoothing = 0;
  double z_loss = 0;

  CrossEntropy cross_entropy() const { return {.smoothing = label_smoothing, .z_loss = z_loss}; }
};

}  // namespace temper
