// SPDX-License-Identifier: MIT
// The loss and its gradient are tested in tests/backend/cpu/divergence_test.cpp.
#include "temper/objective/distillation.hpp"

#include <doctest/doctest.h>

namespace distillation_test {

using namespace temper;

TEST_CASE("distillation: what is set is what the head is given; nothing set is the forward divergence alone") {
  const Distill plain = Distillation{}.distill();
  CHECK(plain.divergence == Divergence::forward);
  CHECK(plain.temperature == 1);
  CHECK(plain.alpha == 1);
  const Distill own = Distillation{.temperature = 2, .alpha = 0.25, .divergence = Divergence::jsd}.distill();
  CHECK(own.divergence == Divergence::jsd);
  CHECK(own.temperature == 2);
  CHECK(own.alpha == 0.25);
}

}  // namespace distillation_test
