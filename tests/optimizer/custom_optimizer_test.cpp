// SPDX-License-Identifier: MIT
// A rule as a user would write one, with the smallest state there is: docs/optimizers.md shows it.
#include <doctest/doctest.h>

#include "temper/temper.hpp"

namespace custom_optimizer_test {

using namespace temper;

// [signum]
struct Signum {  // m = beta m + (1 - beta) g,  p -= rate sign(m)        (Bernstein et al. 2018)
  double beta = 0.9;

  template <class B>
  struct State {
    View<B, typename B::Activation, 1> mean;
    void visit(auto&& each) { each("mean", mean); }
  };
  template <class B>
  State<B> state(Memory<B>& memory, const Parameter<B>& p) const {
    return {memory.template allocate<typename B::Activation, 1>(Holder::optimizer, {p.size()})};
  }
  template <class B>
  void update(Context<B>& ctx, Parameter<B>& p, State<B>& state, StepInfo step) const {
    ctx.run("signum", {.flops = 4.0 * static_cast<double>(p.size())}, [&] {
      for (Index i = 0; i < p.size(); ++i) {
        const double gradient = static_cast<double>(p.gradient.data[i]) * step.gradient_scale;
        const double mean = beta * static_cast<double>(state.mean(i)) + (1 - beta) * gradient;
        const double way = mean > 0 ? 1 : mean < 0 ? -1 : 0;
        state.mean(i) = static_cast<typename B::Activation>(mean);
        p.value.data[i] -= static_cast<typename B::Activation>(step.rate * p.rate_scale * way);
      }
    });
  }
};
static_assert(Optimizer<Signum, Cpu<float>>);
// [/signum]

TEST_CASE("custom optimizer: a user's rule trains a decoder, and its memory is in the plan") {
  const Config config = read_config({{"model_type", "llama"},
                                     {"vocab_size", 6},
                                     {"hidden_size", 16},
                                     {"num_hidden_layers", 1},
                                     {"num_attention_heads", 2},
                                     {"intermediate_size", 16}},
                                    "custom_optimizer_test");
  Decoder<Cpu<float>, Full> model(config, {});
  MicroBatch batch;
  for (TokenId first = 0; first < 5; ++first) {
    const std::vector<TokenId> row = {first, static_cast<TokenId>(first + 1), first};
    batch.add(row, std::vector<std::uint8_t>{0, 1, 1});
  }
  const CausalLm objective;
  const Signum rule;
  const Plan plan = plan_step(model, objective, rule, {.training = {shape_of(batch.host())}, .evaluating = {}});
  CHECK(plan.of(Holder::optimizer) >= static_cast<std::size_t>(plan.trained_elements) * sizeof(float));
  Session session(model, rule, plan);
  CHECK(session.allocated_bytes() == plan.peak_bytes());
  double first = 0, last = 0;
  for (Step step = 0; step < 60; ++step) {
    begin_step(session, model, step, static_cast<double>(batch.supervised_tokens()));
    last = forward_backward(session, model, objective, batch.host()).mean();
    if (step == 0) first = last;
    clip_gradients(session, model, 1.0);
    update(session, model, rule, 3e-3);
  }
  CHECK(first > 1.5);
  CHECK(last < 0.5 * first);
}

}  // namespace custom_optimizer_test
