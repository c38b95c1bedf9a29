// SPDX-License-Identifier: MIT
#include "temper/optimizer/any_optimizer.hpp"

#include "support/one_parameter.hpp"
#include "temper/optimizer/adamw.hpp"
#include "temper/optimizer/lion.hpp"
#include "temper/optimizer/sgd.hpp"

namespace any_optimizer_test {

using namespace temper_test;
using Any = AnyOptimizer<AdamW, Lion, Sgd>;

static_assert(Optimizer<Any, Cpu<float>> && check_optimizer<Any, Cpu<double>>());

template <class R>
void same_as(const R& rule) {
  OneParameter alone(rule, {2, 3}, 1, 0.5);
  OneParameter chosen(Any{rule}, {2, 3}, 1, 0.5);
  CHECK(chosen.names() == alone.names());
  CHECK(chosen.state_bytes() == alone.state_bytes());
  for (Step k = 0; k < 3; ++k)
    CHECK(chosen.after({.number = k, .rate = 0.1}) == alone.after({.number = k, .rate = 0.1}));
}

TEST_CASE("any optimizer: the rule that was chosen, its state and its steps") {
  same_as(AdamW{.weight_decay = 0.5});
  same_as(Lion{});
  same_as(Sgd{});
  same_as(Sgd{.momentum = 0.5});
}

}  // namespace any_optimizer_test
