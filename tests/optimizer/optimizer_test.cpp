// SPDX-License-Identifier: MIT
// What refuses a wrong optimizer stands in tests/must_not_compile.
#include "temper/optimizer/optimizer.hpp"

#include <cmath>

#include "support/one_parameter.hpp"
#include "temper/optimizer/adafactor.hpp"
#include "temper/optimizer/adamw_8bit.hpp"
#include "temper/optimizer/any_optimizer.hpp"
#include "temper/optimizer/lion.hpp"
#include "temper/optimizer/muon.hpp"
#include "temper/optimizer/sgd.hpp"

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
  const auto stepped = [&](double step_of) {
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
  for (const bf16 x : stepped(1)) mean += double{to_float(x)} / size;
  // Below 1 numbers are 2^-8 apart; a rounding deviates by at most half of that.
  CHECK(std::abs(mean - (1 - static_cast<double>(steps) * rate)) < 5 * 0x1p-9 * std::sqrt(double{steps} / size));
  CHECK(stepped(1) == stepped(1));
  CHECK(stepped(1) != stepped(-1));
}

static_assert(MovesByParts<AdamW, Cpu<float>> && MovesByParts<AdamW8bit, Cpu<float>> &&
              MovesByParts<Lion, Cpu<float>> && MovesByParts<Sgd, Cpu<float>>);
static_assert(!MovesByParts<Adafactor, Cpu<float>> && !MovesByParts<Muon, Cpu<float>> &&
              !MovesByParts<SignDescent, Cpu<float>>);

// A rule that says nothing of parts.
template <class R>
struct Whole {
  R rule;
  template <class B>
  using State = typename R::template State<B>;
  template <class B>
  State<B> state(Memory<B>& memory, const Parameter<B>& p) const {
    return rule.state(memory, p);
  }
  template <class B>
  void update(Context<B>& ctx, Parameter<B>& p, State<B>& state, StepInfo step) const {
    rule.update(ctx, p, state, step);
  }
};

// A matrix of three parts, the last a short one, with its gradient in float or in bf16: what it and its state become.
constexpr Index rows = 6, cols = 1000, part = 2560;
template <class R>
std::string moved(const R& rule, Precision gradients, std::size_t* peak) {
  using B = Cpu<float>;
  Memory<B> memory(Execution::running);
  Threads stream(2);
  constexpr Index room = Index{1} << 16;
  Arena arena(memory.allocate<std::byte, 1>(Holder::scratch, {room}).data, room);
  Context<B> ctx(stream, arena, 1, Execution::running);
  Parameter<B> p{.name = "p", .shape = {rows, cols}};
  p.narrow = memory.allocate<bf16, 2>(Holder::trained_weights, {rows, cols});
  p.value.shape = p.gradient.shape = {rows, cols};
  if (gradients == Precision::bf16)
    p.narrow_gradient = memory.allocate<bf16, 2>(Holder::gradients, {rows, cols});
  else
    p.gradient = memory.allocate<float, 2>(Holder::gradients, {rows, cols});
  for (Index i = 0; i < p.size(); ++i) {
    const Index mixed = i * 40503 % 65536;  // cheap, and far from its neighbours
    p.narrow.data[i] = to_bf16(static_cast<float>(mixed) * 0x1p-16f);
    const bf16 gradient = to_bf16(static_cast<float>(mixed * 7 % 65536) * 0x1p-15f - 1);
    if (p.has_narrow_gradient())
      p.narrow_gradient.data[i] = gradient;
    else
      p.gradient.data[i] = to_float(gradient);
  }
  auto state = rule.state(memory, p);
  state.visit([&](std::string_view, auto tensor) { zero(ctx, tensor); });
  for (Step k = 0; k < 2; ++k) apply(ctx, rule, p, state, {.number = k, .rate = 1e-3, .gradient_scale = 0.7}, part);
  CHECK(p.value.data == nullptr);
  CHECK((p.gradient.data == nullptr) == p.has_narrow_gradient());
  CHECK(p.size() == rows * cols);
  *peak = arena.peak();
  std::string all(reinterpret_cast<const char*>(p.narrow.data), p.narrow.bytes());
  state.visit(
      [&](std::string_view, auto tensor) { all.append(reinterpret_cast<const char*>(tensor.data), tensor.bytes()); });
  return all;
}

TEST_CASE_TEMPLATE("optimizer: a matrix in bf16 moves by parts to the bits of one that moves whole", R, AdamW,
                   AdamW8bit, Lion, Sgd) {
  R rule{};
  if constexpr (std::is_same_v<R, Sgd>) rule.momentum = 0.9;
  std::size_t by_parts = 0, whole = 0, narrow = 0;
  const std::string expected = moved(Whole<R>{rule}, Precision::full, &whole);
  CHECK(moved(rule, Precision::full, &by_parts) == expected);
  CHECK(moved(rule, Precision::bf16, &narrow) == expected);
  CHECK(whole == Arena::rounded(4 * rows * cols));
  CHECK(by_parts == 4 * part);
  CHECK(narrow == 2 * 4 * part);
}

TEST_CASE("optimizer: a rule that was chosen while running moves a matrix in bf16 in its own parts") {
  std::size_t alone = 0, chosen = 0;
  using Any = AnyOptimizer<Sgd, Muon>;
  CHECK(moved(Any{Sgd{}}, Precision::bf16, &chosen) == moved(Sgd{}, Precision::bf16, &alone));
  CHECK(chosen == alone);
}

// A rule that gives up.
struct Throws : SignDescent {
  template <class B>
  void update(Context<B>&, Parameter<B>&, State<B>&, StepInfo) const {
    fail(Fault::numeric, "test.update", "no update");
  }
};

TEST_CASE("optimizer: a rule that throws leaves a matrix in bf16 as it was, and no pointer to scratch") {
  OneParameter one(Throws{}, {4, 4}, 0, 1);
  std::vector<bf16> held(16, to_bf16(1.0f)), gradients(16, to_bf16(2.0f));
  one.p.narrow = {held.data(), {4, 4}}, one.p.narrow_gradient = {gradients.data(), {4, 4}};
  one.p.value.data = one.p.gradient.data = nullptr;
  CHECK_THROWS_AS(apply(one.ctx, one.rule, one.p, one.state, {.rate = 1}), Error);
  CHECK(one.p.value.data == nullptr);
  CHECK(one.p.gradient.data == nullptr);
  CHECK(one.arena.scratched() == 0);
  CHECK(held == std::vector<bf16>(16, to_bf16(1.0f)));
}

TEST_CASE("optimizer: a step has no clipping unless told so") {
  CHECK(StepInfo{}.gradient_scale == 1);
  CHECK(StepInfo{}.number == 0);
}

}  // namespace optimizer_test
