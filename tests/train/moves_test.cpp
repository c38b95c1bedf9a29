// SPDX-License-Identifier: MIT
#include "temper/train/moves.hpp"

#include <limits>

#include "io/scratch.hpp"
#include "support/full_run.hpp"

namespace moves_test {

using namespace temper_test;
using temper::test::Thrown;
using temper::test::thrown_by;

// Steps of one micro-batch without clipping: losses, norms, and what the model and its optimizer became.
struct Became {
  std::vector<double> losses, norms;
  std::string bytes;
  friend bool operator==(const Became&, const Became&) = default;
};
Became train(FullRun& run, Step steps) {
  Became became;
  auto& session = run.trainee.session;
  for (Step k = 0; k < steps; ++k) {
    const PackedRows batch = run.golden.packed(0, 8);
    begin_step(session, run.model, k, static_cast<double>(batch.count()), run.rule, run.rate);
    became.losses.push_back(forward_backward(session, run.model, run.objective, batch.host()).mean());
    became.norms.push_back(clip_gradients(session, run.model, 0));
    update(session, run.model, run.rule, run.rate);
  }
  became.bytes = run.bytes();
  return became;
}

void compare(const RuleCase& rule, const std::string& family, BuildOptions options) {
  const std::string name = rule.name;
  CAPTURE(name);
  CAPTURE(family);
  FullRun after(rule, options, family);
  options.update = Update::in_backward;
  FullRun within(rule, options, family);
  CHECK(train(after, 2) == train(within, 2));
  CHECK(within.trainee.session.allocated_bytes() == within.trainee.plan.peak_bytes());
  CHECK(within.trainee.session.context().arena().peak() == within.trainee.plan.arena_bytes());
  CHECK(within.trainee.session.context().arena().scratched() == 0);
}

TEST_CASE("moves: weights that move in backward reach the bits of those that move after it, under every rule") {
  for (const RuleCase& rule : rule_cases()) compare(rule, "llama2", {.precision = Precision::bf16});
  const RuleCase adamw = rule_cases().front();
  compare(adamw, "llama2", {.recompute = Recompute::blocks});
  compare(adamw, "llama_bf16", {.precision = Precision::bf16});  // its table is its head too
}

TEST_CASE("moves: what moves in backward holds no gradient") {
  const RuleCase rule = rule_cases().front();
  FullRun after(rule, {}, "llama2"), within(rule, {.update = Update::in_backward}, "llama2");
  std::size_t matrices = 0;
  within.model.visit([&](const auto& p) {
    CHECK((p.update == Update::in_backward) == p.is_matrix());
    CHECK((p.gradient.data == nullptr) == p.is_matrix());
    matrices += p.is_matrix() ? Arena::rounded(p.gradient.bytes()) : 0;
  });
  CHECK(after.trainee.plan.of(Holder::gradients) - within.trainee.plan.of(Holder::gradients) == matrices);

  // A table that is the head too has gradients from both.
  auto tied = open_decoder<Cpu<float>>(golden_models / "qwen3", Full{}, {.update = Update::in_backward});
  tied.visit([&](const auto& p) {
    if (p.name == "model.embed_tokens.weight") CHECK(p.update == Update::after_backward);
  });
  // A head that is trained beside the table it is tied to has its gradient from one place.
  auto beside = open_decoder<Cpu<float>>(golden_models / "qwen3", Lora<>{.rank = 2, .modules_to_save = {"lm_head"}},
                                         {.update = Update::in_backward});
  std::size_t early = 0;
  beside.visit([&](const auto& p) { early += p.update == Update::in_backward; });
  CHECK(early == 1);
}

TEST_CASE("moves: Llama-2-7B is trained whole in 28.2 GB by 8-bit AdamW on 512 tokens, in 41.3 with its gradients") {
  const Config config = read_config({{"model_type", "llama"},
                                     {"vocab_size", 32000},
                                     {"hidden_size", 4096},
                                     {"num_hidden_layers", 32},
                                     {"num_attention_heads", 32},
                                     {"num_key_value_heads", 32},
                                     {"intermediate_size", 11008},
                                     {"max_position_embeddings", 4096},
                                     {"rms_norm_eps", 1e-5}},
                                    "config.json");
  const BatchShape shape{.tokens = 512, .documents = 1, .supervised = 511, .longest = 512};
  const AnyRule rule{AdamW8bit{}};
  const auto planned = [&](Precision gradients, Update update) {
    Decoder<Cpu<float>, Full> model(config, Full{}, nullptr,
                                    {.execution = Execution::planning,
                                     .recompute = Recompute::blocks,
                                     .precision = Precision::bf16,
                                     .gradients = gradients,
                                     .update = update});
    return plan_step(model, CausalLm{}, rule, {.training = {shape}, .evaluating = {}}, {.threads = 1});
  };
  const Plan moved = planned(Precision::full, Update::in_backward);
  CHECK(moved.trained_elements == 6'738'415'616);
  CHECK(moved.peak_bytes() < 28'200'000'000);
  CHECK(moved.of(Holder::gradients) < 2'000'000);
  const Plan held = planned(Precision::bf16, Update::after_backward);
  CHECK(held.peak_bytes() < 41'300'000'000);
  CHECK(held.of(Holder::gradients) < 2 * 6'740'000'000);
}

TEST_CASE("moves: a second micro-batch, clipping, and a step without its rule are refused") {
  FullRun run(rule_cases().front(), {.update = Update::in_backward}, "llama2");
  auto& session = run.trainee.session;
  const PackedRows batch = run.golden.packed(0, 4);
  const double count = static_cast<double>(batch.count());
  const auto pass = [&] { forward_backward(session, run.model, run.objective, batch.host()); };

  begin_step(session, run.model, 0, count, run.rule, run.rate);
  pass();
  CHECK(thrown_by(pass).code == "step.second_micro_batch");
  const Thrown clipped = thrown_by([&] { clip_gradients(session, run.model, 1); });
  CHECK(clipped.code == "step.clipped_too_late");
  CHECK(clipped.fault == Fault::usage);

  begin_step(session, run.model, 1, count);
  CHECK(thrown_by(pass).code == "step.no_mover");

  FullRun other(rule_cases().front(), {.update = Update::in_backward});
  begin_step(session, run.model, 1, count, run.rule, run.rate);
  CHECK(thrown_by([&] { forward_backward(session, other.model, run.objective, batch.host()); }).code ==
        "step.other_model");
}

TEST_CASE("moves: a loss that is not a number moves nothing, and its layer is named") {
  FullRun run(rule_cases().front(), {.update = Update::in_backward});
  run.model.visit([&](auto& p) {
    if (p.name == "model.layers.1.mlp.up_proj.weight") p.value.data[3] = std::numeric_limits<float>::quiet_NaN();
  });
  const std::string before = run.bytes();
  const PackedRows batch = run.golden.packed(0, 4);
  begin_step(run.trainee.session, run.model, 6, static_cast<double>(batch.count()), run.rule, run.rate);
  const Thrown thrown =
      thrown_by([&] { forward_backward(run.trainee.session, run.model, run.objective, batch.host()); });
  CHECK(thrown.code == "numeric.not_finite");
  CHECK(thrown.message.find("step 7: a value that is not finite left model.layers.1.mlp") != std::string::npos);
  CHECK(run.bytes() == before);
}

}  // namespace moves_test
