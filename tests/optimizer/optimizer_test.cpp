// SPDX-License-Identifier: MIT
// What refuses a wrong optimizer stands in tests/must_not_compile.
#include "temper/optimizer/optimizer.hpp"

#include "support/one_parameter.hpp"

namespace optimizer_test {

using namespace temper_test;

// The sign of the gradient, which needs no memory.
struct SignDescent {
  template <class B>
  struct State {
    void visit(auto&&) {}
  };
  template <class B>
  State<B> state(Memory<B>&, const Parameter<B>&) const {
    return {};
  }
  template <class B>
  void update(Context<B>& ctx, Parameter<B>& p, State<B>&, StepInfo step) const {
    ctx.run("sign_descent", {}, [&] {
      for (Index i = 0; i < p.size(); ++i)
        p.value.data[i] -= step.rate * p.rate_scale * (p.gradient.data[i] > 0 ? 1 : -1);
    });
  }
};

struct NoUpdate {
  template <class B>
  struct State {
    void visit(auto&&) {}
  };
  template <class B>
  State<B> state(Memory<B>&, const Parameter<B>&) const {
    return {};
  }
};

static_assert(Optimizer<SignDescent, Cpu<float>> && check_optimizer<SignDescent, Cpu<float>>());
static_assert(!Optimizer<NoUpdate, Cpu<float>> && !Optimizer<int, Cpu<float>>);

TEST_CASE("optimizer: an aggregate with a state and an update is one") {
  OneParameter one(SignDescent{}, {2, 2}, 1, -7, 2);
  CHECK(one.after({.rate = 0.25}) == 1.5);
  CHECK(one.names().empty());
}

TEST_CASE("optimizer: a step has no clipping unless told so") {
  CHECK(StepInfo{}.gradient_scale == 1);
  CHECK(StepInfo{}.number == 0);
}

}  // namespace optimizer_test
