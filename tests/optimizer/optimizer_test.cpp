// SPDX-License-Identifier: MIT
// What refuses a wrong optimizer stands in tests/must_not_compile.
#include "temper/optimizer/optimizer.hpp"

#include <cmath>

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

// A step of 1e-4 from 1 is a 39th of the way to bf16's next number: to the nearest it is never made.
TEST_CASE("optimizer: what is held in bf16 moves in the mean by steps that are too small for bf16") {
  constexpr Index size = 4096;
  constexpr Step steps = 100;
  constexpr double rate = 1e-4;
  CHECK(to_bf16(static_cast<float>(1 - rate)) == to_bf16(1.0f));
  const auto moved = [&](double step_of) {
    OneParameter one(SignDescent{}, {64, 64}, 0, step_of);
    std::vector<bf16> held(size, to_bf16(1.0f));
    one.p.narrow = {held.data(), {64, 64}};
    one.p.value.data = nullptr;
    for (Step k = 0; k < steps; ++k) apply(one.ctx, one.rule, one.p, one.state, {.number = k, .rate = rate});
    CHECK(one.p.value.data == nullptr);
    CHECK(one.arena.scratched() == 0);
    return held;
  };
  double mean = 0;
  for (const bf16 x : moved(1)) mean += double{to_float(x)} / size;
  // Below 1 numbers are 2^-8 apart; a rounding deviates by at most half of that.
  CHECK(std::abs(mean - (1 - static_cast<double>(steps) * rate)) < 5 * 0x1p-9 * std::sqrt(double{steps} / size));
  CHECK(moved(1) == moved(1));
  CHECK(moved(1) != moved(-1));
}

TEST_CASE("optimizer: a step has no clipping unless told so") {
  CHECK(StepInfo{}.gradient_scale == 1);
  CHECK(StepInfo{}.number == 0);
}

}  // namespace optimizer_test
