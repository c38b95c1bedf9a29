// SPDX-License-Identifier: MIT
// The values are compared with transformers' in tests/train and with differences in tests/model/heads_test.cpp.
#include "temper/objective/causal_lm.hpp"

#include <doctest/doctest.h>

#include "temper/backend/cpu/memory.hpp"

namespace causal_lm_test {

using namespace temper;

TEST_CASE("causal lm: its gradient is known before the forward pass, and settings go to the head") {
  static_assert(GradientKnown<CausalLm> && check_objective<CausalLm, Cpu<float>>());
  const CrossEntropy plain = CausalLm{}.cross_entropy();
  CHECK(plain.smoothing == 0);
  CHECK(plain.z_loss == 0);
  const CrossEntropy both = CausalLm{.label_smoothing = 0.1, .z_loss = 1e-4}.cross_entropy();
  CHECK(both.smoothing == 0.1);
  CHECK(both.z_loss == 1e-4);
}

}  // namespace causal_lm_test
