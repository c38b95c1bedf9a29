// SPDX-License-Identifier: MIT
// The settings that operations take beside their tensors; the same on every backend.
#pragma once
#include "temper/core/types.hpp"

namespace temper {

// One document of a packed batch: its queries, and the keys that they may see. The last query stands at the last key, so a
// document that is read whole has equal ranges, and one token of a cached one has a single query and all its keys.
struct AttentionSpan {
  Index query_begin, query_end, key_begin, key_end;
};

struct AttentionShape {
  Index heads, kv_heads, width;  // query heads, key-value heads, channels of a head
  double scale;                  // of the scores, usually 1 / sqrt(width)
  Index window = 0;              // 0: all earlier keys; else a query sees its last 'window' keys, itself included
};

enum class Rotation { forward, backward };

// loss = (1 - smoothing) (lse - z_target) + smoothing (lse - mean z) + z_loss lse^2, with lse the log-sum-exp of the
// logits z. Smoothing as torch's CrossEntropyLoss, z_loss as PaLM's (Chowdhery et al. 2022).
struct CrossEntropy {
  double smoothing = 0;
  double z_loss = 0;
};

// One AdamW step (torch.optim.AdamW); bias1 = 1 - beta1^t and bias2 = 1 - beta2^t, with t counted from 1.
struct AdamWStep {
  double learning_rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0, bias1 = 1, bias2 = 1;
};

// One SGD step (torch.optim.SGD): weight_decay is added to the gradient, hence also to the momentum.
enum class Momentum { plain, nesterov };
enum class FirstStep { no, yes };
struct SgdStep {
  double learning_rate = 0, momentum = 0, weight_decay = 0;
  Momentum kind = Momentum::plain;
  FirstStep first = FirstStep::no;  // the buffer holds nothing yet and becomes the gradient
};

}  // namespace temper
