// SPDX-License-Identifier: MIT
// One LoRA step at the shape of Qwen2.5-0.5B (random weights): 4 documents of 256 tokens, rank 16 on every projection,
// AdamW. Prints a line of JSON like reference/lora_step.py, where each operation's share of the time goes, and planned
// against used memory.
//   lora_step [--bf16] [--threads N] [--steps N] [--layers N] [--tokens N]
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "temper/temper.hpp"

using namespace temper;

namespace {

// Random weights for every name, each in memory of its own.
class RandomWeights : public WeightSource {
 public:
  RandomWeights(const Config& config, Element element) : element_(element) {
    const Index d = config.width, f = config.feed_forward, q = config.query_width(), kv = config.kv_width();
    add("model.embed_tokens.weight", {config.vocabulary, d});
    add("model.norm.weight", {d});
    for (Index l = 0; l < config.layers; ++l) {
      const std::string path = "model.layers." + std::to_string(l) + ".";
      for (const char* norm : {"input_layernorm.weight", "post_attention_layernorm.weight"}) add(path + norm, {d});
      add(path + "self_attn.q_proj.weight", {q, d}), add(path + "self_attn.q_proj.bias", {q});
      for (const std::string side : {"self_attn.k_proj", "self_attn.v_proj"})
        add(path + side + ".weight", {kv, d}), add(path + side + ".bias", {kv});
      add(path + "self_attn.o_proj.weight", {d, q});
      for (const char* wide : {"mlp.gate_proj.weight", "mlp.up_proj.weight"}) add(path + wide, {f, d});
      add(path + "mlp.down_proj.weight", {d, f});
    }
  }
  std::string description() const override { return "random weights"; }
  std::optional<StoredTensor> find(std::string_view name) const override {
    const auto at = tensors_.find(std::string(name));
    if (at == tensors_.end()) return std::nullopt;
    return StoredTensor{element_, at->second.shape, at->second.data.get()};
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [name, tensor] : tensors_) all.push_back(name);
    return all;
  }

 private:
  struct Owned {
    std::vector<Index> shape;
    std::unique_ptr<std::byte[]> data;
  };
  void add(const std::string& name, std::vector<Index> shape) {
    std::size_t count = 1;
    for (const Index n : shape) count *= static_cast<std::size_t>(n);
    auto data = std::make_unique_for_overwrite<std::byte[]>(count * bytes_of(element_));
    const float width = shape.size() == 2 ? 0.035f : 0.02f;  // a uniform of deviation 0.02
    for (std::size_t i = 0; i < count; ++i) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      const float uniform = static_cast<float>(state_ >> 40) * 0x1p-23f - 1;
      const float value = name.find("norm") != std::string::npos ? 1 + uniform * 0.02f : uniform * width;
      if (element_ == Element::f32)
        std::memcpy(data.get() + 4 * i, &value, 4);
      else {
        const bf16 narrow = to_bf16(value);
        std::memcpy(data.get() + 2 * i, &narrow, 2);
      }
    }
    tensors_[name] = {std::move(shape), std::move(data)};
  }

  Element element_;
  std::uint64_t state_ = 1;
  std::map<std::string, Owned> tensors_;
};

Config qwen_half_billion(Index layers) {
  const Json json = {{"model_type", "qwen2"},     {"vocab_size", 151936},
                     {"hidden_size", 896},        {"num_hidden_layers", layers},
                     {"num_attention_heads", 14}, {"num_key_value_heads", 2},
                     {"intermediate_size", 4864}, {"max_position_embeddings", 32768},
                     {"rope_theta", 1e6},         {"tie_word_embeddings", true},
                     {"rms_norm_eps", 1e-6}};
  return read_config(json, "qwen2.5-0.5b");
}

Index option(int argc, char** argv, const char* name, Index otherwise) {
  for (int i = 1; i + 1 < argc; ++i)
    if (std::strcmp(argv[i], name) == 0) return std::atol(argv[i + 1]);
  return otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  const bool narrow = std::any_of(argv, argv + argc, [](const char* a) { return std::strcmp(a, "--bf16") == 0; });
  const auto threads = static_cast<int>(option(argc, argv, "--threads", 2));
  const Index steps = option(argc, argv, "--steps", 5), length = option(argc, argv, "--tokens", 256), documents = 4;
  Config config = qwen_half_billion(option(argc, argv, "--layers", 24));
  const auto weights = std::make_shared<RandomWeights>(config, narrow ? Element::bf16 : Element::f32);
  Decoder<Cpu<float>, Lora<>> model(config, Lora<>{.rank = 16, .alpha = 32}, weights);

  std::vector<TokenId> tokens, targets;
  std::vector<std::uint8_t> supervised;
  std::vector<Index> starts = {0};
  const Random random{7, random_site("bench"), 0};
  for (Index d = 0; d < documents; ++d) {
    for (Index t = 0; t < length; ++t) {
      tokens.push_back(static_cast<TokenId>(random.below(static_cast<std::uint64_t>(std::ssize(tokens)), 151936)));
      supervised.push_back(t + 1 < length);
    }
    starts.push_back(std::ssize(tokens));
  }
  targets.assign(tokens.begin() + 1, tokens.end());
  targets.push_back(0);
  const HostBatch batch{tokens, targets, supervised, starts};

  const CausalLm objective;
  const AdamW rule;
  const SessionOptions options{.threads = threads};
  const Plan plan = plan_step(model, objective, rule, {.training = {shape_of(batch)}, .evaluating = {}}, options);
  std::fputs(plan.table().c_str(), stderr);
  Session session(model, rule, plan, options);
  using Context = Context<Cpu<float>>;
  session.context().set_timing(Context::Timing::on);

  std::vector<double> seconds;
  Loss loss;
  for (Index k = 0; k <= steps; ++k) {
    if (k == 1) session.context().forget_operations();
    const auto start = std::chrono::steady_clock::now();
    begin_step(session, model, k, static_cast<double>(shape_of(batch).supervised));
    loss = forward_backward(session, model, objective, batch);
    clip_gradients(session, model, 1.0);
    update(session, model, rule, 1e-4);
    if (k > 0) seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  auto operations = session.context().operations();
  std::sort(operations.begin(), operations.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  for (const OperationTotal& o : operations)
    std::fprintf(stderr, "  %-26s %6lld calls  %9.2f ms a step  %7.1f GFLOP/s  %6.1f GB/s\n",
                 std::string(o.name).c_str(), static_cast<long long>(o.calls / steps),
                 1e3 * o.seconds / static_cast<double>(steps), 1e-9 * o.cost.flops / o.seconds,
                 1e-9 * o.cost.bytes / o.seconds);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double median = seconds[seconds.size() / 2];
  std::printf(
      "{\"program\": \"temper\", \"weights\": \"%s\", \"threads\": %d, \"seconds_per_step\": %.4f, "
      "\"fastest\": %.4f, \"slowest\": %.4f, \"tokens_per_second\": %.1f, \"planned_bytes\": %zu, "
      "\"allocated_bytes\": %zu, \"peak_rss_bytes\": %ld, \"loss\": %.6f}\n",
      narrow ? "bf16" : "f32", threads, median, seconds.front(), seconds.back(),
      static_cast<double>(tokens.size()) / median, plan.peak_bytes(), session.allocated_bytes(),
      usage.ru_maxrss * 1024L, loss.mean());
}
