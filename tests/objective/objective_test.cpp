// SPDX-License-Identifier: MIT
// What refuses a wrong objective stands in tests/must_not_compile.
#include "temper/objective/objective.hpp"

#include "support/golden_model.hpp"
#include "support/pair_objectives.hpp"

namespace objective_test {

using namespace temper_test;

struct NoLoss {
  template <class B>
  using Input = LogProbs<B>;
  template <class B>
  using Batch = PairBatch<B>;
};

static_assert(Objective<CausalLm, Cpu<float>> && GradientKnown<CausalLm>);
static_assert(Objective<SimPo, Cpu<float>> && Objective<PlainDpo, Cpu<double>> && !GradientKnown<SimPo>);
static_assert(!Objective<NoLoss, Cpu<float>> && !Objective<int, Cpu<float>>);
static_assert(check_objective<CausalLm, Cpu<float>>() && check_objective<SimPo, Cpu<float>>());

TEST_CASE("objective: one of the user's own has the gradient of its loss through the whole model") {
  const GoldenBatch golden("qwen2");
  const PackedRows batch = golden.packed(0, 4);
  const Lora<> lora = read_peft_config(golden_models / "qwen2/adapter_bias_all");
  auto model = open_decoder<Cpu<double>>(golden_models / "qwen2", lora);
  load_peft(model, golden_models / "qwen2/adapter_bias_all");
  const SimPo objective;
  const Sgd rule;
  const PlannedShapes shapes{.training = {shape_of(batch.host())}, .evaluating = {shape_of(batch.host())}};
  Session session(model, rule, plan_step(model, objective, rule, shapes));
  begin_step(session, model, 0, 2);
  const Loss loss = forward_backward(session, model, objective, batch.host());
  CHECK(loss.count == 2);
  const std::function<double()> value = [&] { return evaluate(session, model, objective, batch.host()).mean(); };
  CHECK(value() == loss.mean());
  GradientCheck check;
  model.visit([&](auto& p) {
    const auto size = static_cast<std::size_t>(std::min<Index>(p.size(), 4));
    compare_gradient(check, p.name, {p.value.data, size}, {p.gradient.data, size}, value, 1e-4);
  });
  CAPTURE(check.where);
  CHECK(check.largest_error < 1e-5);
}

TEST_CASE("objective: sums are taken over the step, and means once") {
  Loss total{.sum = 6, .plain = 5, .correct = 1, .count = 3};
  total += {.sum = 2, .plain = 1, .correct = 1, .count = 1};
  CHECK(total.mean() == 2);
  CHECK(total.accuracy() == 0.5);
  CHECK(total.plain == 6);
}

TEST_CASE("objective: sigmoid and softplus hold at both ends") {
  for (const double x : {-800.0, -40.0, -1.0, 0.0, 1.0, 40.0, 800.0}) {
    CAPTURE(x);
    CHECK(std::isfinite(softplus(x)));
    CHECK(sigmoid(x) + sigmoid(-x) == doctest::Approx(1).epsilon(1e-15));
    CHECK(softplus(x) - softplus(-x) == doctest::Approx(x).epsilon(1e-14));
  }
  CHECK(softplus(0.0) == std::log(2.0));
  CHECK(sigmoid(-800.0) == 0);
  CHECK(softplus(-40.0) == doctest::Approx(std::exp(-40)).epsilon(1e-12));
}

}  // namespace objective_test
