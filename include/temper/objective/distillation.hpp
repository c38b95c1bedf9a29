// SPDX-License-Identifier: MIT
// Distillation (Hinton et al. 2015; reverse: Gu et al. 2024; jsd: Agarwal et al. 2024): the student's softmax(z / T)
// follows the teacher's at every supervised token,
//   loss = alpha T^2 D(teacher, student) + (1 - alpha) cross entropy.
// T^2 keeps the gradient's size when T grows. What is reported as the divergence is D itself.
#pragma once
#include "temper/objective/objective.hpp"

namespace temper {

struct Distillation {
  double temperature = 1;                       // T
  double alpha = 1;                             // weight of the divergence; the causal loss has 1 - alpha
  Divergence divergence = Divergence::forward;  // KL(teacher, student); reverse: KL(student, teacher); jsd: halves

  Distill distill() const { return {.divergence = divergence, .temperature = temperature, .alpha = alpha}; }
};

// What a student is held to, and by whom: Teacher (model/teacher.hpp), or anything with its 'states'.
template <class T>
struct Taught {
  Distillation settings;
  T* teacher = nullptr;
  Index kept = 0;  // of its logits at each token, which batches bring along: then it need not be there

  Distill distill() const { return settings.distill(); }
};

}  // namespace temper
