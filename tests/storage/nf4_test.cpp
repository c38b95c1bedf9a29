// SPDX-License-Identifier: MIT
#include "temper/storage/nf4.hpp"

#include <doctest/doctest.h>

#include "support/coded_weights.hpp"
#include "temper/temper.hpp"

namespace nf4_test {

using namespace temper_test;

// Every tensor of a model in bf16, without its values: enough to plan.
class Shapes : public WeightSource {
 public:
  explicit Shapes(const Config& config) {
    const Index d = config.width, q = config.query_width(), kv = config.kv_width(), f = config.feed_forward;
    add("model.embed_tokens", {config.vocabulary, d});
    add("lm_head", {config.vocabulary, d});
    add("model.norm", {d});
    for (Index l = 0; l < config.layers; ++l) {
      const std::string path = "model.layers." + std::to_string(l) + ".";
      for (const char* name : {"input_layernorm", "post_attention_layernorm"}) add(path + name, {d});
      add(path + "self_attn.q_proj", {q, d}), add(path + "self_attn.o_proj", {d, q});
      for (const char* name : {"self_attn.k_proj", "self_attn.v_proj"}) add(path + name, {kv, d});
      for (const char* name : {"mlp.gate_proj", "mlp.up_proj"}) add(path + name, {f, d});
      add(path + "mlp.down_proj", {d, f});
    }
  }
  std::string description() const override { return "shapes"; }
  std::optional<StoredTensor> find(std::string_view name) const override {
    const auto at = shapes_.find(name);
    if (at == shapes_.end()) return std::nullopt;
    return StoredTensor{Element::bf16, at->second, nullptr};
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [name, shape] : shapes_) all.push_back(name);
    return all;
  }

 private:
  void add(const std::string& path, std::vector<Index> shape) { shapes_[path + ".weight"] = std::move(shape); }
  std::map<std::string, std::vector<Index>, std::less<>> shapes_;
};

Config llama2_7b() {
  return read_config({{"model_type", "llama"},
                      {"vocab_size", 32000},
                      {"hidden_size", 4096},
                      {"intermediate_size", 11008},
                      {"num_hidden_layers", 32},
                      {"num_attention_heads", 32},
                      {"rms_norm_eps", 1e-5}},
                     "config");
}

template <class A>
std::size_t frozen_bytes(const Config& config, const A& adapter) {
  const Decoder<Cpu<float>, A> model(config, adapter, std::make_shared<Shapes>(config),
                                     {.execution = Execution::planning});
  return model.bytes()[static_cast<std::size_t>(Holder::frozen_weights)];
}

TEST_CASE("nf4: a base of 7B with double quantization is planned at no more than 3.9 GB") {
  const Config config = llama2_7b();
  const std::size_t nested = frozen_bytes(config, QLora{});
  CHECK(nested < 3'900'000'000);
  CHECK(nested > 3'800'000'000);
  // Without: a float for each 64 weights in place of a byte and a 256th.
  const std::size_t plain = frozen_bytes(config, QLora{.storage = {.double_quantized = false}});
  CHECK(plain > nested + 280'000'000);
  CHECK(plain < 4'300'000'000);
  // A projection that is left alone stays in bf16.
  const std::size_t skipped = frozen_bytes(config, QLora{.storage = {.skip = {"down_proj"}}});
  const std::size_t down = std::size_t{32} * 11008 * 4096;
  CHECK(static_cast<double>(skipped - nested) ==
        doctest::Approx(static_cast<double>(down) * (2 - 0.51587)).epsilon(1e-3));
}

TEST_CASE("nf4: what is planned is what is held, adapted or not, by whichever adapter") {
  const OneWeight source(48, 200);
  for (const bool nested : {false, true}) {
    const Nf4 storage{.double_quantized = nested};
    Memory<Cpu<float>> memory(Execution::running), planned(Execution::planning);
    Threads stream(1);
    Builder<Cpu<float>> build(memory, stream, &source, 1), plan(planned, stream, &source, 1);
    const auto w = storage.matrix(build, "p", 48, 200);
    const auto planned_w = storage.matrix(plan, "p", 48, 200);
    CHECK(w.bytes() == (nested ? 4800 + 150 + 4 : 4800 + 600));
    CHECK(planned_w.bytes() == w.bytes());
    CHECK(memory.bytes() == planned.bytes());
    CHECK(memory.bytes()[static_cast<std::size_t>(Holder::frozen_weights)] == (nested ? 4864 + 256 + 256 : 4864 + 768));
    CHECK_NOTHROW(build.finish());
  }
  const auto bytes = [&](auto adapter) {
    LayerBench<float> bench(1, &source);
    adapter.linear(bench.build, "p", {200, 48});
    return bench.memory.bytes()[static_cast<std::size_t>(Holder::frozen_weights)];
  };
  CHECK(bytes(FrozenOn<Nf4>{}) == 5376);
  CHECK(bytes(QLora{.rank = 2}) == 5376);
  CHECK(bytes(QLora{.targets = {"q_proj"}}) == 5376);
  CHECK(bytes(Dora<Nf4>{{.rank = 2}}) == 5376);
  CHECK(bytes(PromptTuningOn<Nf4>{}) == 5376);
  CHECK(bytes(Lora<>{.rank = 2}) == 38400);
}

TEST_CASE("nf4: values are near those of the file, and the same from every format that can hold them") {
  const OneWeight source(48, 200);
  LayerBench<float> bench(1, &source);
  const auto found = decoded(Nf4{}.matrix(bench.build, "p", 48, 200));
  double square = 0, size = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double error = static_cast<double>(found[i]) - static_cast<double>(source.values()[i]);
    square += error * error, size += static_cast<double>(source.values()[i]) * static_cast<double>(source.values()[i]);
  }
  CHECK(std::sqrt(square / size) < 0.12);
  CHECK(std::sqrt(square / size) > 0.05);
}

TEST_CASE("nf4: without a file the initial values are quantized, by the seed and the name") {
  const auto values = [](std::uint64_t seed, const std::string& path) {
    LayerBench<float> bench(seed);
    return decoded(Nf4{}.matrix(bench.build, path, 16, 64));
  };
  CHECK(values(1, "p") == values(1, "p"));
  CHECK(values(1, "p") != values(2, "p"));
  CHECK(values(1, "p") != values(1, "r"));
}

TEST_CASE("nf4: a layer that is to be skipped stays dense, and must be one") {
  const OneWeight source(48, 200);
  LayerBench<float> bench(1, &source);
  const auto w = Nf4{.skip = {"p"}}.matrix(bench.build, "p", 48, 200);
  CHECK(w.codes.coding == Coding::dense);
  const ModuleNames modules{.all = {"model.layers.0.mlp.up_proj", "lm_head"},
                            .projections = {"model.layers.0.mlp.up_proj"}};
  CHECK_NOTHROW(Nf4{.skip = {"up_proj", "lm_head"}}.check_names(modules));
  CHECK_THROWS_WITH_AS((QLora{.storage = {.skip = {"up_prj"}}}.check_names(modules)),
                       doctest::Contains("skip names 'up_prj'"), Error);
}

TEST_CASE("nf4: gradients of LoRA and DoRA match central differences, and B at zero is the base bit for bit") {
  const auto check = [](auto adapter) {
    LayerBench<double> bench;
    auto layer = adapter.linear(bench.build, "q_proj", {.in = 70, .out = 6, .bias = true});
    CHECK(layer.base.frozen.weight.codes.coding == Coding::nf4);
    return check_layer(layer, 7, 70, 6);
  };
  const GradientCheck lora = check(QLora{.rank = 2, .alpha = 6});
  CAPTURE(lora.where);
  CHECK(lora.largest_error < 1e-7);
  const GradientCheck dropped = check(QLora{.rank = 3, .alpha = 4, .dropout = 0.3, .bias = Bias::all});
  CHECK(dropped.largest_error < 1e-7);

  const auto output = [](auto adapter) {
    LayerBench<float> bench(9);
    auto layer = adapter.linear(bench.build, "q_proj", {.in = 128, .out = 30, .bias = true});
    return bench.output(layer, 10, 128, 30);
  };
  const auto base = output(FrozenOn<Nf4>{});
  CHECK(output(QLora{.rank = 3}) == base);
  CHECK(output(QLora{.targets = {"k_proj"}}) == base);
  CHECK(output(Dora<Nf4>{{.rank = 3}}) == base);
  CHECK(output(Frozen{}) != base);
}

}  // namespace nf4_test
