// SPDX-License-Identifier: MIT
// The settings that operations take beside their tensors; the same on every backend.
#pragma once
#include "temper/core/types.hpp"

namespace temper {

// One document of a packed batch: its queries, and the keys that they may see. The last query stands at the last key,
// so a document that is read whole has equal ranges, and one token of a cached one has a single query and all its keys.
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

// loss = alpha T^2 D(p, q) + (1 - alpha) cross entropy, with p the teacher's and q the student's softmax(z / T):
//   forward: D = KL(p, q)    reverse: D = KL(q, p)    jsd: D = KL(p, m) / 2 + KL(q, m) / 2, m = (p + q) / 2
enum class Divergence { forward, reverse, jsd };
struct Distill {
  Divergence divergence = Divergence::forward;
  double temperature = 1;
  double alpha = 1;
};

// One AdamW step (torch.optim.AdamW): corrections are 1 - beta^t, with t counted from 1.
struct AdamWStep {
  double learning_rate, beta1, beta2, epsilon, weight_decay, correction1, correction2;
};

// One SGD step (torch.optim.SGD): weight_decay is added to the gradient, hence also to the momentum; 'first' starts the
// buffer with the gradient itself.
enum class Momentum { classical, nesterov };
struct SgdStep {
  double learning_rate, momentum, weight_decay;
  Momentum kind = Momentum::classical;
  bool first = false;
};

// One Lion step (Chen et al. 2023): 'beta1' mixes the direction, 'beta2' the mean that is remembered.
struct LionStep {
  double learning_rate, beta1, beta2, weight_decay;
};

// One Adafactor step with its rate given from outside: 'fresh' is the share of the new squares, 'epsilon' is added to
// each of them, and an update longer than 'largest' (root mean square) is shortened to it.
struct AdafactorStep {
  double learning_rate, fresh, epsilon, largest, weight_decay;
};

// p(G) = a I + b G + c G^2: one factor of the quintic a x + b x^3 + c x^5 for which G = x x^T.
struct Quintic {
  double a, b, c;
};

}  // namespace temper
