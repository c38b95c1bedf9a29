// SPDX-License-Identifier: MIT
#include "temper/train/step.hpp"

#include "support/golden_model.hpp"
#include "temper/optimizer/any_optimizer.hpp"

namespace step_test {

using namespace temper_test;

struct Curve {
  std::vector<double> loss, norm;
};

constexpr std::size_t rows_of_a_step = 4;

// 20 recorded steps: four rows each, one micro-batch a row or all in one pack.
template <class M, class R>
Curve train(M& model, const GoldenBatch& golden, const CausalLm& objective, const R& rule, const Json& settings,
            std::size_t rows_together, SessionOptions options = {}) {
  const Linear rate{.peak = settings["learning_rate"].get<double>(), .warmup = 3, .total = 20};
  const double clip = settings["max_grad_norm"].is_null() ? 0 : settings["max_grad_norm"].get<double>();
  const PackedRows largest = golden.packed(0, golden.rows.size());
  Trainee trainee(model, objective, rule, shape_of(largest.host()), options);
  Curve curve;
  for (Step k = 0; k < 20; ++k) {
    std::vector<PackedRows> micro_batches;
    for (std::size_t r = 0; r < rows_of_a_step; r += rows_together) {
      const std::size_t first = static_cast<std::size_t>(k) * rows_of_a_step + r;
      micro_batches.push_back(golden.packed(first, first + rows_together));
    }
    const auto [loss, norm] = trainee.step(k, micro_batches, rate(k), clip);
    curve.loss.push_back(loss), curve.norm.push_back(norm);
  }
  return curve;
}

using RecordedRule = AnyOptimizer<AdamW, Sgd, Adafactor>;

template <class B>
Curve run_recorded(const std::string& family, const Json& run, const RecordedRule& rule, std::size_t rows_together) {
  const Json& settings = run["settings"];
  const GoldenBatch golden(family);
  const CausalLm objective{.label_smoothing = settings["label_smoothing"].get<double>(),
                           .z_loss = settings["z_loss"].get<double>()};
  const auto trained = [&](auto&& model) { return train(model, golden, objective, rule, settings, rows_together); };
  if (run["adapter"].is_null()) return trained(open_decoder<B>(golden_models / family, Full{}));

  const auto folder = golden_models / family / run["adapter"].get<std::string>();
  const auto loaded = [&](auto adapter) {
    auto model = open_decoder<B>(golden_models / family, adapter);
    load_peft(model, folder);
    return trained(model);
  };
  const PeftKind kind = peft_kind(folder);
  if (kind == PeftKind::dora) return loaded(read_peft_dora(folder));
  if (kind == PeftKind::prompt) return loaded(read_peft_prompt(folder));
  Lora<> lora = read_peft_config(folder);
  if (!settings["lora_plus_ratio"].is_null()) lora.lora_plus_ratio = settings["lora_plus_ratio"].get<double>();
  return loaded(lora);
}

// Every value within 'tolerance' of its own size.
double largest_relative(const std::vector<double>& values, const Json& expected) {
  double error = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double e = expected[i].get<double>();
    error = std::max(error, std::abs(values[i] - e) / std::abs(e));
  }
  return error;
}

std::vector<double> weights_of(auto& model) {
  std::vector<double> all;
  model.visit([&](auto& p) {
    for (Index i = 0; i < p.size(); ++i) all.push_back(static_cast<double>(p.value.data[i]));
  });
  return all;
}

// Each recorded run of each family, on one backend.
template <class B>
void compare_recorded_runs(auto&& compare) {
  for (const std::string& family : golden_families()) {
    const Json recorded = read_json(golden_models / family / "training.json");
    for (const auto& [name, run] : recorded["runs"].items()) {
      const Json& settings = run["settings"];
      const std::string optimizer = settings["optimizer"].get<std::string>();
      CAPTURE(family);
      const std::string run_name = name;  // clang++ 14 cannot capture a structured binding
      CAPTURE(run_name);
      const auto together = settings["batch_size"].get<std::size_t>();
      const double decay = settings["weight_decay"].get<double>();
      const Momentum kind = settings["nesterov"].get<bool>() ? Momentum::nesterov : Momentum::classical;
      RecordedRule rule{AdamW{.weight_decay = decay}};
      if (optimizer == "sgd") rule = {Sgd{settings["momentum"].get<double>(), kind, decay}};
      if (optimizer == "adafactor") rule = {Adafactor{.weight_decay = decay}};
      compare(run_recorded<B>(family, run, rule, together), run);
    }
  }
}

TEST_CASE("step: in double, twenty steps are those of transformers and PEFT in float64" * doctest::test_suite("long")) {
  compare_recorded_runs<Cpu<double>>([](const Curve& curve, const Json& run) {
    CHECK(largest_relative(curve.loss, run["float64"]["loss"]) < 1e-9);
    CHECK(largest_relative(curve.norm, run["float64"]["grad_norm"]) < 1e-7);
  });
}

TEST_CASE("step: in float, twenty steps are those of transformers and PEFT" * doctest::test_suite("long")) {
  compare_recorded_runs<Cpu<float>>([](const Curve& curve, const Json& run) {
    CHECK(largest_relative(curve.loss, run["float64"]["loss"]) < 1e-5);
    // Training amplifies rounding, and in a few runs by far: the recorded float32 run says by how much. The bound is
    // 3e-5 or twice that; only rsLoRA's larger scale, where we stray 6e-5 and the recorded run 1e-5, gets more. That
    // all of this is rounding is shown above: in double the same runs agree to 1e-7.
    const double noise =
        largest_relative(run["float32"]["grad_norm"].get<std::vector<double>>(), run["float64"]["grad_norm"]);
    const bool rslora = run["adapter"] == "adapter_rslora";
    CHECK(largest_relative(curve.norm, run["float64"]["grad_norm"]) < std::max(rslora ? 1e-4 : 3e-5, 2 * noise));
  });
}

TEST_CASE("step: four micro-batches of one row give the bits of one pack of four rows") {
  const Json settings = {{"learning_rate", 5e-3}, {"max_grad_norm", 1.0}};
  for (const std::string family : {"llama2", "llama3", "qwen3", "llama_dynamic", "mistral"}) {
    CAPTURE(family);
    const GoldenBatch golden(family);
    const auto run = [&](auto adapter, std::size_t together) {
      auto model = open_decoder<Cpu<float>>(golden_models / family, adapter);
      const Curve curve = train(model, golden, CausalLm{}, AdamW{}, settings, together);
      return std::pair(curve, weights_of(model));
    };
    const auto [apart, apart_weights] = run(Full{}, 1);
    const auto [packed, packed_weights] = run(Full{}, 4);
    // A tied table has two gradients, from the head and from the embedding, and they meet in another order.
    const bool tied = family == "qwen3";
    CHECK((apart.norm == packed.norm) == !tied);
    CHECK((apart_weights == packed_weights) == !tied);
    const Lora<> lora{.rank = 3, .alpha = 6, .dropout = 0.1};
    CHECK(run(lora, 1).second == run(lora, 4).second);
    CHECK(run(lora, 2).second == run(lora, 4).second);
  }
}

TEST_CASE("step: blocks that are computed once more give the same bits, and hold one block's activations") {
  const Json settings = {{"learning_rate", 5e-3}, {"max_grad_norm", 1.0}};
  const auto check = [&](const std::string& family, auto adapter) {
    CAPTURE(family);
    const GoldenBatch golden(family);
    const auto run = [&](Recompute recompute) {
      auto model = open_decoder<Cpu<float>>(golden_models / family, adapter, {.recompute = recompute});
      const Curve curve = train(model, golden, CausalLm{}, AdamW{}, settings, 4);
      return std::tuple(curve.loss, curve.norm, weights_of(model));
    };
    CHECK(run(Recompute::blocks) == run(Recompute::none));
    const auto kept = [&](Recompute recompute) {
      auto model = open_decoder<Cpu<float>>(golden_models / family, adapter, {.recompute = recompute});
      const BatchShape shape = shape_of(golden.packed(0, 8).host());
      return plan_step(model, CausalLm{}, AdamW{}, {.training = {shape}, .evaluating = {}})
          .of(Holder::kept_activations);
    };
    CHECK(kept(Recompute::blocks) < kept(Recompute::none));
  };
  check("llama3", Full{});
  check("qwen2", Lora<>{.rank = 3, .alpha = 6, .dropout = 0.1});
  check("qwen3", Dora<>{{.rank = 3, .alpha = 6, .dropout = 0.1}});
  check("mistral", PromptTuning{.virtual_tokens = 4});
}

TEST_CASE("step: one, two and three threads give the same bits") {
  const Json settings = {{"learning_rate", 5e-3}, {"max_grad_norm", 1.0}};
  const GoldenBatch golden("qwen2");
  const auto run = [&](int threads) {
    auto model = open_decoder<Cpu<float>>(golden_models / "qwen2", Full{});
    train(model, golden, CausalLm{.label_smoothing = 0.1}, AdamW{}, settings, 2, {.threads = threads});
    return weights_of(model);
  };
  const auto one = run(1);
  CHECK(one == run(2));
  CHECK(one == run(3));
}

TEST_CASE("step: an update that needs more scratch than a micro-batch is planned") {
  PackedRows batch;
  batch.add({1, 2}, {0, 1});
  auto model = open_decoder<Cpu<float>>(golden_models / "llama3", Full{});
  const CausalLm objective;
  const AdamW adamw;
  const Muon muon;
  const Trainee none(model, objective, adamw, shape_of(batch.host()));
  Trainee trainee(model, objective, muon, shape_of(batch.host()));
  CHECK(trainee.plan.arena_bytes() > none.plan.arena_bytes());
  trainee.step(0, {batch}, 1e-3, 1);
  CHECK(trainee.session.allocated_bytes() == trainee.plan.peak_bytes());
  CHECK(trainee.session.context().arena().peak() == trainee.plan.arena_bytes());
  CHECK(trainee.session.context().arena().scratched() == 0);
}

TEST_CASE("step: the plan's bytes are those that are allocated, and the arena is used to its last byte") {
  const GoldenBatch golden("llama3");
  const PackedRows batch = golden.packed(0, 4);
  auto model = open_decoder<Cpu<float>>(golden_models / "llama3", Lora<>{.rank = 3, .dropout = 0.1});
  const CausalLm objective;
  const AdamW rule;
  Trainee trainee(model, objective, rule, shape_of(batch.host()));
  trainee.step(0, {batch}, 1e-3, 1);
  CHECK(trainee.session.allocated_bytes() == trainee.plan.peak_bytes());
  CHECK(trainee.session.context().arena().peak() == trainee.plan.arena_bytes());
  CHECK(trainee.session.context().arena().kept() == 0);
  CHECK(trainee.session.context().arena().scratched() == 0);
}

TEST_CASE("step: a batch larger than planned is refused before memory is touched") {
  const GoldenBatch golden("llama2");
  auto model = open_decoder<Cpu<float>>(golden_models / "llama2", Full{});
  const CausalLm objective;
  const AdamW rule;
  Trainee trainee(model, objective, rule, shape_of(golden.rows[1].host()));
  CHECK_THROWS_WITH_AS(trainee.step(0, {golden.packed(0, 8)}, 1e-3, 1), doctest::Contains("arena"), Error);
}

TEST_CASE("step: with B at zero LoRA's loss is the base model's, bit for bit") {
  for (const std::string& family : golden_families()) {
    CAPTURE(family);
    const GoldenBatch golden(family);
    const auto loss_with = [&](auto adapter) {
      auto model = open_decoder<Cpu<float>>(golden_models / family, adapter);
      const CausalLm objective;
      const AdamW rule;
      Trainee trainee(model, objective, rule, shape_of(golden.packed(0, 4).host()));
      return evaluate(trainee.session, model, objective, golden.packed(0, 4).host()).sum;
    };
    CHECK(loss_with(Full{}) == loss_with(Lora<>{.rank = 3}));
  }
}

TEST_CASE("step: a weight that is not finite stops the step and names the layer") {
  const GoldenBatch golden("llama2");
  auto model = open_decoder<Cpu<float>>(golden_models / "llama2", Full{});
  model.visit([&](auto& p) {
    if (p.name == "model.layers.1.mlp.up_proj.weight") p.value.data[3] = std::numeric_limits<float>::quiet_NaN();
  });
  const CausalLm objective;
  const AdamW rule;
  Trainee trainee(model, objective, rule, shape_of(golden.packed(0, 4).host()));
  CHECK_THROWS_WITH_AS(trainee.step(6, {golden.packed(0, 4)}, 1e-3, 1),
                       doctest::Contains("step 7: a value that is not finite left model.layers.1.mlp"), Error);
}

TEST_CASE("step: gradients of the whole model match central differences in double") {
  for (const std::string family : {"llama3", "qwen2", "qwen3", "mistral", "llama_dynamic"}) {
    CAPTURE(family);
    const GoldenBatch golden(family);
    const PackedRows batch = golden.packed(0, 3);
    auto model = open_decoder<Cpu<double>>(golden_models / family, Full{});
    const CausalLm objective{.label_smoothing = 0.1, .z_loss = 1e-3};
    const AdamW rule;
    Trainee trainee(model, objective, rule, shape_of(batch.host()));
    begin_step(trainee.session, model, 0, static_cast<double>(batch.count()));
    forward_backward(trainee.session, model, objective, batch.host());
    const std::function<double()> loss = [&] {
      return evaluate(trainee.session, model, objective, batch.host()).mean();
    };
    GradientCheck check;
    model.visit([&](auto& p) {
      // A few elements of each tensor; the layers' own tests look at all.
      const auto size = static_cast<std::size_t>(std::min<Index>(p.size(), 4));
      compare_gradient(check, p.name, {p.value.data, size}, {p.gradient.data, size}, loss, 1e-4);
    });
    CAPTURE(check.where);
    CHECK(check.largest_error < 1e-5);
  }
}

}  // namespace step_test
