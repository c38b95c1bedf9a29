// SPDX-License-Identifier: MIT
// A run: everything is read, checked and planned first; then the loop over steps, with what it writes and when it
// stops.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "checkpoints.hpp"
#include "exit_code.hpp"
#include "row_cache.hpp"
#include "run_data.hpp"
#include "run_folder.hpp"
#include "task_step.hpp"

namespace temper_cli {

// What training and planning share. Nothing of it is on disk, and no weight is in memory yet.
struct Prepared {
  Recipe recipe;
  temper::templates::Date date;
  std::unique_ptr<RunData> data;
  Labels labels;
  std::unique_ptr<Engine> engine;
  temper::Plan plan;
  std::unique_ptr<RowCache> cache;  // or none

  // What needs most: training, or making the cache before it.
  const temper::Plan& largest_plan() const {
    const temper::Plan* before = cache ? cache->plan() : nullptr;
    return before && before->peak_bytes() > plan.peak_bytes() ? *before : plan;
  }
};
Prepared prepare(Recipe recipe, const temper::templates::Date& date, Reporter& reporter);

// The learning rate of optimizer step k, counted from 0.
std::function<double(temper::Step)> schedule_of(const Recipe& recipe, Index steps);

// What the objective tells beside the loss, as means: '"training/accuracy": x' and its own.
void add_metrics(Json& line, std::string_view stage, const temper::Loss& loss);

struct Evaluation {
  temper::Loss sums;
  Index tokens = 0, supervised = 0, rows = 0;

  double loss() const { return sums.plain / sums.count; }
};
Evaluation evaluate_rows(Engine& engine, const RunData& data, RowCache* cache = nullptr);
Json to_json(const Evaluation& evaluation);

// 'holders' and 'peak_bytes' of a plan.
Json to_json(const temper::Plan& plan);

// How loud a leap of the loss is: the loss over the mean of the recent ones, where it stands far out of them.
std::optional<double> loss_leap(const std::vector<double>& recent, double loss);

class TrainingLoop {
 public:
  TrainingLoop(Prepared& prepared, RunFolder& run, Reporter& reporter, Echo echo, std::string recipe_hash, Json inputs);

  // From the start, or from where a checkpoint stands. Returns how the run ended.
  ExitCode run(const std::optional<Checkpoint>& from);

 private:
  using Clock = std::chrono::steady_clock;

  ExitCode steps();
  void step(Index number);
  void after_step();
  bool evaluate();
  void save(Occasion occasion);
  void publish();
  void end(std::string_view state);
  void show_progress();
  double seconds() const;
  std::size_t measured_bytes() const;
  bool is_due(KeyPath every) const;

  Prepared& prepared_;
  RunFolder& run_;
  Reporter& reporter_;
  Echo echo_;
  std::optional<MetricsFile> metrics_;
  Checkpoints checkpoints_;
  std::function<double(temper::Step)> rate_;
  std::unique_ptr<TaskStep> step_;
  std::string recipe_hash_;
  Json inputs_;
  Progress progress_;
  Clock::time_point began_;
  double seconds_before_ = 0;
  Index tokens_before_ = 0;  // of this process's first step
  double last_loss_ = 0;
  std::string also_;      // of the last step, beside its loss
  bool started_ = false;  // the engine: before that it has no memory to be measured
  bool stopped_early_ = false;
};

}  // namespace temper_cli
