// SPDX-License-Identifier: MIT
// What fine-tuning takes, from the plan: models of 0.5B to 70B by their shapes alone (no weights are needed), one text
// of 512 tokens, every adapter and optimizer, with activations kept and with blocks computed once more. A table in
// markdown.
//   memory [--tokens N]        the table
//   memory --process           small models trained for two steps: planned bytes beside what the process really held
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "temper/adapter/full.hpp"
#include "temper/adapter/prompt.hpp"
#include "temper/optimizer/adafactor.hpp"
#include "temper/optimizer/adamw_8bit.hpp"
#include "temper/optimizer/any_optimizer.hpp"
#include "temper/optimizer/sgd.hpp"
#include "temper/storage/any_storage.hpp"
#include "temper/temper.hpp"

using namespace temper;

namespace {

using B = Cpu<float>;
using Rule = AnyOptimizer<AdamW, AdamW8bit, Adafactor, Sgd>;

// A BF16 checkpoint of which only names and shapes exist.
class BareWeights : public WeightSource {
 public:
  explicit BareWeights(const Config& config) {
    const Index d = config.width, f = config.feed_forward, q = config.query_width(), kv = config.kv_width();
    shapes_["model.embed_tokens.weight"] = {config.vocabulary, d};
    if (!config.tied) shapes_["lm_head.weight"] = {config.vocabulary, d};
    shapes_["model.norm.weight"] = {d};
    for (Index l = 0; l < config.layers; ++l) {
      const std::string path = "model.layers." + std::to_string(l) + ".";
      for (const char* norm : {"input_layernorm", "post_attention_layernorm"}) shapes_[path + norm + ".weight"] = {d};
      for (const auto& [name, rows] :
           {std::pair("self_attn.q_proj", q), {"self_attn.k_proj", kv}, {"self_attn.v_proj", kv}}) {
        shapes_[path + name + ".weight"] = {rows, d};
        if (config.query_bias) shapes_[path + name + ".bias"] = {rows};
      }
      shapes_[path + "self_attn.o_proj.weight"] = {d, q};
      for (const char* wide : {"mlp.gate_proj.weight", "mlp.up_proj.weight"}) shapes_[path + wide] = {f, d};
      shapes_[path + "mlp.down_proj.weight"] = {d, f};
    }
  }
  std::string description() const override { return "shapes alone"; }
  std::optional<StoredTensor> find(std::string_view name) const override {
    const auto at = shapes_.find(std::string(name));
    if (at == shapes_.end()) return std::nullopt;
    return StoredTensor{Element::bf16, at->second, nullptr};
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [name, shape] : shapes_) all.push_back(name);
    return all;
  }

 private:
  std::map<std::string, std::vector<Index>> shapes_;
};

struct Shape {
  const char* name;
  const char* type;
  Index width, layers, heads, kv_heads, feed_forward, vocabulary;
  bool tied;
};

constexpr Shape shapes[] = {{"0.5B (Qwen2.5)", "qwen2", 896, 24, 14, 2, 4864, 151936, true},
                            {"1B (Llama 3.2)", "llama", 2048, 16, 32, 8, 8192, 128256, true},
                            {"7B (Llama 2)", "llama", 4096, 32, 32, 32, 11008, 32000, false},
                            {"13B (Llama 2)", "llama", 5120, 40, 40, 40, 13824, 32000, false},
                            {"30B (Llama)", "llama", 6656, 60, 52, 52, 17920, 32000, false},
                            {"70B (Llama 2)", "llama", 8192, 80, 64, 8, 28672, 32000, false}};

Config config_of(const Shape& shape) {
  const Json json = {{"model_type", shape.type},
                     {"vocab_size", shape.vocabulary},
                     {"hidden_size", shape.width},
                     {"num_hidden_layers", shape.layers},
                     {"num_attention_heads", shape.heads},
                     {"num_key_value_heads", shape.kv_heads},
                     {"intermediate_size", shape.feed_forward},
                     {"max_position_embeddings", 4096},
                     {"tie_word_embeddings", shape.tied},
                     {"rms_norm_eps", 1e-6}};
  return read_config(json, shape.name);
}

struct Method {
  const char* name;
  enum class Kind { full, lora, dora, prompt } kind;
  AnyStorage storage = {};
  Lora<> lora = {.rank = 16, .alpha = 32};
  Precision precision = Precision::full;
  Update update = Update::after_backward;
  Precision gradients = Precision::full;

  BuildOptions options(Execution execution, Recompute recompute) const {
    return {.execution = execution,
            .recompute = recompute,
            .precision = precision,
            .gradients = gradients,
            .update = update};
  }
};

const Method methods[] = {
    {"full", Method::Kind::full},
    {.name = "full in bf16", .kind = Method::Kind::full, .precision = Precision::bf16},
    {.name = "full in bf16, gradients too",
     .kind = Method::Kind::full,
     .precision = Precision::bf16,
     .gradients = Precision::bf16},
    {.name = "full in bf16, moved in backward",
     .kind = Method::Kind::full,
     .precision = Precision::bf16,
     .update = Update::in_backward},
    {"LoRA", Method::Kind::lora},
    {"LoRA on int8", Method::Kind::lora, {Int8{}}},
    {"DoRA", Method::Kind::dora},
    {"QLoRA", Method::Kind::lora, {Nf4{}}},
    {"QLoRA, q and v, rank 8", Method::Kind::lora, {Nf4{}}, {.rank = 8, .targets = {"q_proj", "v_proj"}}},
    {"prompt", Method::Kind::prompt}};

// Calls work(adapter) with the method's own.
template <class Work>
auto with_adapter(const Method& method, Work&& work) {
  const auto lora = on(method.storage, method.lora);
  switch (method.kind) {
    case Method::Kind::full:
      return work(Full{});
    case Method::Kind::lora:
      return work(lora);
    case Method::Kind::dora:
      return work(Dora<AnyStorage>{lora});
    default:
      return work(PromptTuningOn<AnyStorage>{.storage = method.storage});
  }
}

constexpr SessionOptions two_threads{.threads = 2};
constexpr double gigabytes(std::size_t bytes) { return static_cast<double>(bytes) / 1e9; }

Plan plan_of(const Shape& shape, const Method& method, const Rule& rule, Recompute recompute, Index tokens) {
  const Config config = config_of(shape);
  return with_adapter(method, [&](const auto& adapter) {
    Decoder<B, std::decay_t<decltype(adapter)>> model(config, adapter, std::make_shared<BareWeights>(config),
                                                      method.options(Execution::planning, recompute));
    const BatchShape batch{.tokens = tokens, .documents = 1, .supervised = tokens - 1, .longest = tokens};
    return plan_step(model, CausalLm{}, rule, {.training = {batch}, .evaluating = {}}, two_threads);
  });
}

void print_table(Index tokens) {
  const Rule rules[] = {{AdamW{}}, {AdamW8bit{}}, {Adafactor{}}, {Sgd{}}};
  std::printf("| model | trains | weights | AdamW | 8-bit AdamW | Adafactor | SGD |\n|---|---|---|---|---|---|---|\n");
  for (const Shape& shape : shapes)
    for (const Method& method : methods) {
      std::printf("| %s | %s |", &method == methods ? shape.name : "", method.name);
      for (const Rule& rule : rules) {
        const Plan kept = plan_of(shape, method, rule, Recompute::none, tokens),
                   again = plan_of(shape, method, rule, Recompute::blocks, tokens);
        if (&rule == rules)
          std::printf(" %.1f |", gigabytes(kept.of(Holder::frozen_weights) + kept.of(Holder::trained_weights)));
        std::printf(" %.1f / %.1f |", gigabytes(kept.peak_bytes()), gigabytes(again.peak_bytes()));
      }
      std::printf("\n");
    }
}

// A line of /proc/self/status, in bytes.
double own_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == key + ":") {
      double kibibytes = 0;
      status >> kibibytes;
      return kibibytes * 1024;
    }
  return 0;
}

void train_and_compare(const Method& method, Recompute recompute) {
  const Shape shape{"small", "llama", 512, 8, 8, 4, 1408, 16000, false};
  const double before = own_bytes("VmRSS");
  with_adapter(method, [&](const auto& adapter) {
    Decoder<B, std::decay_t<decltype(adapter)>> model(config_of(shape), adapter, nullptr,
                                                      method.options(Execution::running, recompute));
    std::vector<TokenId> tokens(512);
    const Random random{7, random_site("memory"), 0};
    for (std::size_t t = 0; t < tokens.size(); ++t) tokens[t] = static_cast<TokenId>(random.below(t, 16000));
    std::vector<std::uint8_t> supervised(tokens.size(), 1);
    const std::vector<Index> starts = {0, 512};
    const HostBatch batch{tokens, tokens, supervised, starts};
    const CausalLm objective;
    const Rule rule{AdamW{}};
    const Plan plan = plan_step(model, objective, rule, {.training = {shape_of(batch)}, .evaluating = {}}, two_threads);
    Session session(model, rule, plan, two_threads);
    for (Step k = 0; k < 2; ++k) {
      begin_step(session, model, k, 512, rule, 1e-4);
      forward_backward(session, model, objective, batch);
      clip_gradients(session, model, method.update == Update::in_backward ? 0 : 1.0);
      update(session, model, rule, 1e-4);
    }
    const double planned = static_cast<double>(plan.peak_bytes()), held = own_bytes("VmHWM") - before;
    std::printf("| %s%s | %.1f | %.1f | %+.1f %% |\n", method.name,
                recompute == Recompute::blocks ? ", blocks computed once more" : "", planned / 1e6, held / 1e6,
                100 * (held / planned - 1));
    std::fflush(stdout);
    return 0;
  });
}

// Each case in a process of its own, so that each has its own peak.
int compare_processes() {
  std::printf("| trains | planned MB | held MB | apart |\n|---|---|---|---|\n");
  std::fflush(stdout);
  int failures = 0;
  for (const Method& method : methods)
    for (const Recompute recompute : {Recompute::none, Recompute::blocks}) {
      const pid_t child = fork();
      if (child == 0) {
        train_and_compare(method, recompute);
        _exit(0);
      }
      int status = 0;
      waitpid(child, &status, 0);
      failures += status != 0;
    }
  return failures;
}

}  // namespace

int main(int argc, char** argv) {
  Index tokens = 512;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--process") == 0) return compare_processes();
    if (std::strcmp(argv[i], "--tokens") == 0 && i + 1 < argc) tokens = std::atol(argv[i + 1]);
  }
  print_table(tokens);
}
