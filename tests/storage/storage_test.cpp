// SPDX-License-Identifier: MIT
#include "temper/storage/storage.hpp"

#include <doctest/doctest.h>

#include "support/coded_weights.hpp"
#include "support/golden_model.hpp"
#include "support/weights_as.hpp"

namespace storage_test {

using namespace temper_test;

const std::filesystem::path golden_storages = std::filesystem::path(TEMPER_TESTS) / "golden/storage";

static_assert(Storage<Dense, Cpu<float>> && Storage<Nf4, Cpu<double>> && Storage<Fp4, Cpu<float>> &&
              Storage<Int8, Cpu<float>> && Storage<AnyStorage, Cpu<float>>);
static_assert(check_storage<Nf4, Cpu<float>>());

const std::filesystem::path recorded_base = golden_models / "llama3";

const std::map<std::string, AnyStorage>& recorded_storages() {
  static const std::map<std::string, AnyStorage> all = {
      {"nf4", {Nf4{}}}, {"nf4_plain", {Nf4{.double_quantized = false}}},
      {"fp4", {Fp4{}}}, {"int8", {Int8{}}},
      {"bf16", {}},     {"f16", {}}};
  return all;
}

Element element_of(const std::string& storage) {
  return storage == "bf16" ? Element::bf16 : storage == "f16" ? Element::f16 : Element::f32;
}

// A recorded run's adapter (none: the whole model) on its storage; dense ones hold the base's weights in 16 bits.
template <class B>
void with_recorded(const std::string& storage, const Json& adapter, auto&& use) {
  const AnyStorage& chosen = recorded_storages().at(storage);
  const auto source = std::make_shared<WeightsAs>(recorded_base, element_of(storage));
  if (adapter.is_null()) {
    Decoder<B, Full> model(open_config(recorded_base), Full{}, source);
    return use(model);
  }
  const std::filesystem::path folder = recorded_base / adapter.get<std::string>();
  const auto opened = [&](const auto& read) {
    auto on_storage = on(chosen, read);
    Decoder<B, decltype(on_storage)> model(open_config(recorded_base), on_storage, source);
    load_peft(model, folder);
    use(model);
  };
  const PeftKind kind = peft_kind(folder);
  if (kind == PeftKind::dora) return opened(read_peft_dora(folder));
  if (kind == PeftKind::prompt) return opened(read_peft_prompt(folder));
  opened(read_peft_config(folder));
}

double largest_relative(const std::vector<double>& values, const Json& expected) {
  double error = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double e = expected[i].get<double>();
    error = std::max(error, std::abs(values[i] - e) / std::abs(e));
  }
  return error;
}

template <class B>
void check_runs(const char* precision, double loss_tolerance, double norm_tolerance) {
  const Json recorded = read_json(golden_storages / "training.json");
  const GoldenBatch golden("llama3");
  const CausalLm objective;
  const AdamW rule{.weight_decay = 0.01};
  const Linear rate{.peak = 5e-3, .warmup = 3, .total = 20};
  CHECK(recorded["runs"].size() == 6 * 3 + 2);
  for (const auto& [name, run] : recorded["runs"].items()) {
    const std::string run_name = name;  // clang++ 14 cannot capture a structured binding
    CAPTURE(run_name);
    std::vector<double> losses, norms;
    with_recorded<B>(run["storage"].template get<std::string>(), run["adapter"], [&](auto& model) {
      Trainee trainee(model, objective, rule, shape_of(golden.packed(0, golden.rows.size()).host()));
      for (Step k = 0; k < 20; ++k) {
        std::vector<PackedRows> rows;
        for (std::size_t r = 0; r < 4; ++r) {
          const std::size_t first = static_cast<std::size_t>(k) * 4 + r;
          rows.push_back(golden.packed(first, first + 1));
        }
        const auto [loss, norm] = trainee.step(k, rows, rate(k), 1);
        losses.push_back(loss), norms.push_back(norm);
      }
    });
    REQUIRE(losses.size() == 20);
    CHECK(largest_relative(losses, run[precision]["loss"]) < loss_tolerance);
    CHECK(largest_relative(norms, run[precision]["grad_norm"]) < norm_tolerance);
  }
}

TEST_CASE("storage: in double, twenty steps of every adapter on every storage are PEFT's" *
          doctest::test_suite("long")) {
  check_runs<Cpu<double>>("float64", 1e-9, 1e-7);
}

TEST_CASE("storage: in float, twenty steps of every adapter on every storage are PEFT's" *
          doctest::test_suite("long")) {
  check_runs<Cpu<float>>("float64", 1e-5, 1e-4);
}

TEST_CASE("storage: logits and gradients of every adapter on every storage are PEFT's") {
  const SafetensorsFile file(golden_storages / "expected.safetensors");
  const GoldenBatch golden("llama3");
  const PackedRows rows = golden.packed(0, 3);
  const std::map<std::string, int> gradients = {
      {"full", 4}, {"adapter", 14}, {"adapter_dora", 21}, {"adapter_prompt", 1}};
  int pairs = 0;
  for (const auto& [storage, chosen] : recorded_storages())
    for (const auto& [adapter, count] : gradients) {
      const bool whole = adapter == "full";
      if (whole && chosen.chosen.index() != 0) continue;  // not there: what is trained is not quantized
      const std::string at = storage + "." + adapter + ".";
      CAPTURE(at);
      ++pairs;
      int compared = 0;
      with_recorded<Cpu<double>>(storage, whole ? Json(nullptr) : Json(adapter), [&](auto& model) {
        const auto logits = logits_of(model, golden.packed(0, 1));
        CHECK(relative_error<double>(logits, widen(*file.find(at + "logits.0"))) < 1e-6);
        const CausalLm objective;
        const AdamW rule;
        Trainee trainee(model, objective, rule, shape_of(rows.host()));
        begin_step(trainee.session, model, 0, static_cast<double>(rows.count()));
        const Loss loss = forward_backward(trainee.session, model, objective, rows.host());
        CHECK(loss.mean() == doctest::Approx(static_cast<double>(widen(*file.find(at + "loss"))[0])).epsilon(1e-6));
        model.visit([&](const auto& p) {
          const TensorInfo* expected = file.find(at + "gradient." + peft_name_of(model, p.name));
          if (!expected) return;
          const std::span<const double> gradient(p.gradient.data, static_cast<std::size_t>(p.size()));
          CHECK(relative_error<double>(gradient, widen(*expected)) < 1e-6);
          ++compared;
        });
      });
      CHECK(compared == count);
    }
  CHECK(pairs == 6 * 3 + 2);
}

// What the model says of each supervised token.
template <class M>
std::vector<double> log_probs_of(M& model, const PackedRows& rows, Adapters adapters) {
  std::vector<std::byte> memory(std::size_t{1} << 22);
  Arena arena(memory.data(), memory.size());
  Threads stream(1);
  Context<typename M::Backend> ctx(stream, arena, 0, Execution::running);
  BatchStaging<typename M::Backend> staging;
  std::vector<double> result;
  run_log_probs(ctx, staging, model, rows.host(), adapters, result);
  return result;
}

TEST_CASE("storage: with its adapter off a trained model is its base, bit for bit, whatever both are") {
  using B = Cpu<double>;
  const PackedRows rows = GoldenBatch("llama3").packed(0, 3);
  for (const auto& [storage, chosen] : recorded_storages()) {
    const std::string name = storage;
    CAPTURE(name);
    const auto source = std::make_shared<WeightsAs>(recorded_base, element_of(storage));
    Decoder<B, FrozenOn<AnyStorage>> base(open_config(recorded_base), {chosen}, source);
    const std::vector<double> expected = log_probs_of(base, rows, Adapters::on);
    for (const std::string adapter : {"adapter", "adapter_dora", "adapter_prompt"}) {
      CAPTURE(adapter);
      with_recorded<B>(storage, adapter, [&](auto& model) {
        CHECK(log_probs_of(model, rows, Adapters::off) == expected);
        CHECK(log_probs_of(model, rows, Adapters::on) != expected);
      });
    }
  }
  // Weights of the model's own that are trained too keep what they began as where that is asked for.
  Decoder<B, FrozenOn<AnyStorage>> base(open_config(golden_models / "qwen2"), {},
                                        std::make_shared<FolderWeights>(golden_models / "qwen2"));
  const std::vector<double> expected = log_probs_of(base, rows, Adapters::on);
  const auto check = [&](auto adapter) {
    auto model = open_decoder<B>(golden_models / "qwen2", adapter, {.base = Base::kept});
    CHECK(model.switchable());
    model.visit([](auto& p) {
      for (Index i = 0; i < p.size(); ++i) p.value.data[i] += 0.1;
    });
    CHECK(log_probs_of(model, rows, Adapters::off) == expected);
    CHECK(log_probs_of(model, rows, Adapters::on) != expected);
  };
  check(Full{});
  check(Lora<AnyStorage>{.rank = 3, .targets = {"q_proj"}, .bias = Bias::all, .modules_to_save = {"lm_head", "norm"}});
}

TEST_CASE("storage: a model on a storage is planned with the bytes that it takes, and trains the same packed or not") {
  const GoldenBatch golden("llama3");
  const CausalLm objective;
  const AdamW rule;
  const auto trained = [&](auto adapter, std::size_t together) {
    auto model = open_decoder<Cpu<float>>(golden_models / "llama3", adapter);
    Trainee trainee(model, objective, rule, shape_of(golden.packed(0, 4).host()));
    for (Step k = 0; k < 2; ++k) {
      std::vector<PackedRows> batches;
      for (std::size_t r = 0; r < 4; r += together) batches.push_back(golden.packed(r, r + together));
      trainee.step(k, batches, 1e-2, 1);
    }
    CHECK(trainee.session.allocated_bytes() == trainee.plan.peak_bytes());
    std::vector<float> all;
    model.visit([&](auto& p) { all.insert(all.end(), p.value.data, p.value.data + p.size()); });
    return all;
  };
  for (const AnyStorage& storage : coded_storages()) {
    const Lora<AnyStorage> lora{.rank = 3, .dropout = 0.1, .storage = storage};
    CHECK(trained(lora, 1) == trained(lora, 4));
    const Dora<AnyStorage> dora{lora};
    CHECK(trained(dora, 2) == trained(dora, 4));
  }
}

TEST_CASE("storage: head, embedding and norms are left as they are") {
  auto model = open_decoder<Cpu<float>>(golden_models / "llama3", QLora{.rank = 2});
  CHECK(model.head().weight.element == Element::f32);
  auto plain = open_decoder<Cpu<float>>(golden_models / "llama3", Lora<>{.rank = 2});
  CHECK(model.head().weight.bytes() == plain.head().weight.bytes());
}

}  // namespace storage_test
