// SPDX-License-Identifier: MIT
// A DPO step with the prompt read once for both sides of a pair, beside the step that reads it for each, by the
// prompt's share of a sequence. Six layers at the width of Qwen2.5-0.5B, random weights; LoRA of rank 16; pairs of 256
// tokens a side. A line a share: both medians, their ratio, planned memory, and whether the losses have the same bits.
//   dpo_step [rounds] [threads] [layers]
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "small_qwen.hpp"

using namespace temper;

namespace {

constexpr Index sequence = 256, pairs = 2;

// Both sides of a pair begin with the same 'prompt' tokens.
MicroBatch pairs_of(Index prompt, Prompts prompts) {
  const Random random{7, random_site("bench"), 0};
  MicroBatch batch;
  batch.prompts = prompts;
  for (Index d = 0; d < 2 * pairs; ++d) {
    std::vector<TokenId> tokens;
    for (Index t = 0; t < sequence; ++t) {
      const Index drawn = (t < prompt ? d / 2 : d + 100) * sequence + t;
      tokens.push_back(static_cast<TokenId>(random.below(static_cast<std::uint64_t>(drawn), bench::small_vocabulary)));
    }
    std::vector<std::uint8_t> labels(tokens.size(), 1);
    std::fill_n(labels.begin(), prompt, std::uint8_t{0});
    batch.add(tokens, labels);
  }
  return batch;
}

class Run {
 public:
  Run(const Config& config, const MicroBatch& batch, int threads)
      : model_(config, Lora<>{.rank = 16, .alpha = 32}),
        batch_(batch),
        plan_(plan_step(model_, dpo_, rule_, {.training = {shape_of(batch.host())}, .evaluating = {}},
                        {.threads = threads})),
        session_(model_, rule_, plan_, {.threads = threads}) {}

  double step() {
    const auto start = std::chrono::steady_clock::now();
    begin_step(session_, model_, number_, static_cast<double>(pairs));
    const Loss loss = forward_backward(session_, model_, dpo_, batch_.host());
    if (number_++ == 0) first_loss_ = loss.mean();
    clip_gradients(session_, model_, 1.0);
    update(session_, model_, rule_, 1e-4);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  double first_loss() const { return first_loss_; }
  std::size_t arena_bytes() const { return plan_.arena_bytes(); }

 private:
  Dpo dpo_;
  AdamW rule_;
  Decoder<Cpu<float>, Lora<>> model_;
  MicroBatch batch_;
  Plan plan_;
  Session<Cpu<float>, AdamW> session_;
  Step number_ = 0;
  double first_loss_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const Index rounds = argc > 1 ? std::atol(argv[1]) : 5;
  const int threads = argc > 2 ? std::atoi(argv[2]) : 0;
  const Config config = bench::small_qwen(argc > 3 ? std::atol(argv[3]) : 6);
  std::printf("%8s %12s %12s %8s %14s %14s  %s\n", "prompt", "apart s", "shared s", "ratio", "apart bytes",
              "shared bytes", "first loss");
  for (const Index prompt : {0, 64, 128, 192, 240}) {
    Run apart(config, pairs_of(prompt, Prompts::apart), threads),
        shared(config, pairs_of(prompt, Prompts::shared), threads);
    apart.step(), shared.step();
    std::vector<double> apart_seconds, shared_seconds;
    for (Index round = 0; round < rounds; ++round) {
      apart_seconds.push_back(apart.step());
      shared_seconds.push_back(shared.step());
    }
    std::printf("%6.0f %% %12.3f %12.3f %8.2f %14zu %14zu  %s\n", 100.0 * static_cast<double>(prompt) / sequence,
                bench::median(apart_seconds), bench::median(shared_seconds),
                bench::median(apart_seconds) / bench::median(shared_seconds), apart.arena_bytes(), shared.arena_bytes(),
                apart.first_loss() == shared.first_loss() ? "equal bits" : "DIFFERS");
    std::fflush(stdout);
  }
}
