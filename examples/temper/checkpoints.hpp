// SPDX-License-Identifier: MIT
// The checkpoints of a run: written whole by rename after the metrics are on disk, with the hash of every file and of
// what the run depends on; verified before anything goes on from them; kept as the recipe says.
#pragma once
#include <filesystem>
#include <optional>
#include <vector>

#include "engine.hpp"
#include "metrics.hpp"

namespace temper_cli {

// Where a run stands after 'step' optimizer steps. Everything that later steps depend on is here, in the parameters or
// in the optimizer's state.
struct Progress {
  Index step = 0;
  double seconds = 0;                 // since the run began
  Index tokens = 0, supervised = 0;   // seen so far
  std::optional<double> lowest_loss;  // of the evaluations
  Index lowest_step = 0;
  Index evaluations_without_gain = 0;
  std::vector<double> recent_losses;  // for noticing a leap
};
Json to_json(const Progress& progress);

struct Checkpoint {
  std::filesystem::path folder;
  Progress progress;
  std::size_t metrics_bytes = 0;
  std::string metrics_hash, recipe_hash;
  Json inputs;
};

enum class Occasion { planned, stop };  // by the recipe, or because a signal came

class Checkpoints {
 public:
  Checkpoints(const std::filesystem::path& run, std::string keep)
      : folder_(run / "checkpoints"), keep_(std::move(keep)) {}

  void save(Engine& engine, const Progress& progress, Occasion occasion, MetricsFile& metrics,
            const std::string& recipe_hash, const Json& inputs);

  // The newest, every file of it verified (76 where one is not what it was); nothing when there is none.
  std::optional<Checkpoint> newest() const;

  // What stays when the run is over.
  void finish(const Progress& progress);

 private:
  std::vector<Index> steps() const;
  std::filesystem::path path_of(Index step) const { return folder_ / fmt::format("step-{}", step); }
  bool is_planned(Index step) const;
  void remove(Index step) const;
  void retain(Index newest, Index best) const;

  std::filesystem::path folder_;
  std::string keep_;
};

}  // namespace temper_cli
