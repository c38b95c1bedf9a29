// SPDX-License-Identifier: MIT
// A model being trained, whatever its adapter and optimizer: what the loops around it need, and no more. Each adapter
// is compiled in a file of its own, engine_lora.cpp and its neighbours, so that everything else is compiled once.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "recipe.hpp"
#include "temper/core/plan.hpp"
#include "temper/model/batch.hpp"
#include "temper/model/score_labels.hpp"
#include "temper/objective/objective.hpp"
#include "temper/train/answers.hpp"

namespace temper_cli {

// Shapes of the micro-batches to come.
struct Shapes {
  std::vector<temper::BatchShape> training, evaluating;
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual const temper::Config& config() const = 0;
  virtual Index trained_parameters() const = 0;
  virtual Index all_parameters() const = 0;

  // Nothing is allocated before start.
  virtual temper::Plan plan(const Shapes& shapes) = 0;
  virtual void start(const temper::Plan& plan) = 0;

  // What of a micro-batch the mean over a step is taken of: supervised tokens, pairs.
  virtual Index counted(const temper::HostBatch& batch) const = 0;
  virtual void begin_step(temper::Step number, double denominator, double rate) = 0;
  virtual temper::Loss forward_backward(const temper::HostBatch& batch) = 0;
  virtual double clip_gradients(double largest) = 0;
  virtual void update(double rate) = 0;
  virtual temper::Loss evaluate(const temper::HostBatch& batch) = 0;
  virtual std::size_t measured_bytes() const = 0;
  // What the model says with its adapters off: the log-probability of each supervised token.
  virtual void read_reference(const temper::HostBatch& batch, std::vector<double>& result) = 0;

  // Reinforcement learning: what the policy as it is answers to a step's prompts, what the recipe's reward model says
  // about answers, and the updates that scores ask for.
  virtual std::vector<temper::Answer> answer(std::span<const std::vector<temper::TokenId>> prompts, temper::Step number,
                                             const std::vector<temper::TokenId>& stop) = 0;
  virtual std::vector<double> score(std::span<const temper::Answer> answers) = 0;
  virtual temper::PpoStepMetrics learn(std::span<const temper::Answer> answers, std::span<const double> scores,
                                       temper::Step number, double rate) = 0;

  virtual std::string_view output_name() const = 0;                    // adapter or model
  virtual void save_output(const std::filesystem::path& folder) = 0;   // what other programs load
  virtual void load_adapter(const std::filesystem::path& folder) = 0;  // a PEFT folder; nothing for a whole model
  virtual void save_state(const std::filesystem::path& folder) = 0;    // what resume needs
  virtual void load_state(const std::filesystem::path& folder) = 0;
};

// The labels of a score head, where the task is about scores.
using Labels = std::optional<temper::ScoreLabels>;

std::unique_ptr<Engine> open_engine(const Recipe& recipe, const Labels& labels);
std::unique_ptr<Engine> open_lora_engine(const Recipe& recipe, const Labels& labels);
std::unique_ptr<Engine> open_dora_engine(const Recipe& recipe, const Labels& labels);
std::unique_ptr<Engine> open_prompt_engine(const Recipe& recipe, const Labels& labels);
std::unique_ptr<Engine> open_full_engine(const Recipe& recipe, const Labels& labels);

// Where the recipe goes on from an adapter: takes from its configuration what the recipe does not say, and refuses what
// disagrees.
void settle_adapter(Recipe& recipe);

// A folder must be there with the files of a model; a missing one is named (76).
void require_model_folder(const std::filesystem::path& folder);

}  // namespace temper_cli
