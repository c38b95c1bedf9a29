// SPDX-License-Identifier: MIT
#include "temper/storage/storage.hpp"

#include <doctest/doctest.h>

#include "support/coded_weights.hpp"
#include "support/golden_model.hpp"

namespace storage_test {

using namespace temper_test;

const std::filesystem::path golden_storages = std::filesystem::path(TEMPER_TESTS) / "golden/storage";

static_assert(Storage<Dense, Cpu<float>> && Storage<Nf4, Cpu<double>> && Storage<Fp4, Cpu<float>> &&
              Storage<Int8, Cpu<float>> && Storage<AnyStorage, Cpu<float>>);
static_assert(check_storage<Nf4, Cpu<float>>());

// The recorded runs' storage and adapter, opened on the recorded base.
template <class B>
void with_recorded(const std::string& storage, const std::string& adapter, auto&& use) {
  const std::filesystem::path base = golden_models / "llama3", folder = base / adapter;
  const auto opened = [&](auto on_storage) {
    auto model = open_decoder<B>(base, on_storage);
    load_peft(model, folder);
    use(model);
  };
  const auto stored = [&](auto policy) {
    if (adapter == "adapter_dora") return opened(on(policy, read_peft_dora(folder)));
    opened(on(policy, read_peft_config(folder)));
  };
  if (storage == "nf4") stored(Nf4{});
  if (storage == "nf4_plain") stored(Nf4{.double_quantized = false});
  if (storage == "fp4") stored(Fp4{});
  if (storage == "int8") stored(Int8{});
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
  for (const auto& [name, run] : recorded["runs"].items()) {
    const std::string run_name = name;  // clang++ 14 cannot capture a structured binding
    CAPTURE(run_name);
    std::vector<double> losses, norms;
    with_recorded<B>(run["storage"].template get<std::string>(), run["adapter"].template get<std::string>(),
                     [&](auto& model) {
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

TEST_CASE("storage: in double, twenty steps of LoRA and DoRA are PEFT's on bitsandbytes' weights" *
          doctest::test_suite("long")) {
  check_runs<Cpu<double>>("float64", 1e-9, 1e-7);
}

TEST_CASE("storage: in float, twenty steps of LoRA and DoRA are PEFT's on bitsandbytes' weights" *
          doctest::test_suite("long")) {
  check_runs<Cpu<float>>("float64", 1e-5, 1e-4);
}

TEST_CASE("storage: logits and gradients of LoRA and DoRA are PEFT's on bitsandbytes' weights") {
  const SafetensorsFile file(golden_storages / "expected.safetensors");
  const GoldenBatch golden("llama3");
  const PackedRows rows = golden.packed(0, 3);
  for (const std::string storage : {"nf4", "nf4_plain", "int8"})
    for (const std::string adapter : {"adapter", "adapter_dora"}) {
      CAPTURE(storage);
      CAPTURE(adapter);
      const std::string at = storage + "." + adapter + ".";
      with_recorded<Cpu<double>>(storage, adapter, [&](auto& model) {
        const auto logits = logits_of(model, golden.packed(0, 1));
        CHECK(relative_error<double>(logits, widen(*file.find(at + "logits.0"))) < 1e-6);
        const CausalLm objective;
        const AdamW rule;
        Trainee trainee(model, objective, rule, shape_of(rows.host()));
        begin_step(trainee.session, model, 0, static_cast<double>(rows.count()));
        const Loss loss = forward_backward(trainee.session, model, objective, rows.host());
        CHECK(loss.mean() == doctest::Approx(static_cast<double>(widen(*file.find(at + "loss"))[0])).epsilon(1e-6));
        int compared = 0;
        model.visit([&](const auto& p) {
          const TensorInfo* expected = file.find(at + "gradient." + peft_name(model.adapter(), p.name));
          if (!expected) return;
          const std::span<const double> gradient(p.gradient.data, static_cast<std::size_t>(p.size()));
          CHECK(relative_error<double>(gradient, widen(*expected)) < 1e-6);
          ++compared;
        });
        CHECK(compared == (adapter == "adapter" ? 14 : 21));
      });
    }
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
