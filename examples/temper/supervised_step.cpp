// SPDX-License-Identifier: MIT
#include "task_step.hpp"
#include "training.hpp"

namespace temper_cli {
namespace {

class SupervisedStep final : public TaskStep {
 public:
  explicit SupervisedStep(Prepared& prepared) : prepared_(prepared) {}

  void run(Index number, double rate, StepOutcome& outcome) override {
    const std::vector<temper::MicroBatch> batches = prepared_.data->step(number);
    Engine& engine = *prepared_.engine;
    Index counted = 0;
    for (const temper::MicroBatch& batch : batches) {
      outcome.tokens += std::ssize(batch.tokens);
      outcome.supervised += batch.supervised_tokens();
      outcome.samples += std::ssize(batch.rows);
      counted += engine.counted(batch.host());
    }
    temper::Loss loss;
    const auto tell = [&] {
      outcome.loss = loss.mean();
      add_metrics(outcome.metrics, "training", loss);
    };
    try {
      engine.begin_step(number, static_cast<double>(counted), rate);
      for (const temper::MicroBatch& batch : batches)
        loss += engine.forward_backward(host_of(prepared_.cache.get(), batch, Split::train));
      const bool clips = prepared_.recipe.has("training.max_grad_norm");
      outcome.grad_norm = engine.clip_gradients(clips ? prepared_.recipe.number("training.max_grad_norm") : 0);
      engine.update(rate);
    } catch (const temper::Error& error) {
      if (loss.count < static_cast<double>(counted)) loss.sum = std::nan("");  // a micro-batch had none
      tell();
      throw;
    }
    tell();
  }

 private:
  Prepared& prepared_;
};

}  // namespace

std::unique_ptr<TaskStep> open_supervised_step(Prepared& prepared) {
  return std::make_unique<SupervisedStep>(prepared);
}

}  // namespace temper_cli
