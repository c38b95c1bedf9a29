// SPDX-License-Identifier: MIT
// A run of stages: a folder for each, which is a run of its own, in one that knows them all. Stages are trained one
// after the other; going on means to go on with the first that is not complete.
#pragma once
#include <functional>

#include "run.hpp"
#include "staged_recipe.hpp"

namespace temper_cli {

// Looks at stages from 'first' on as far as that is possible before what they start from has been trained, one at a
// time: everything is read, checked and planned.
void over_stages(const StagedRecipe& recipe, std::size_t first, const temper::templates::Date& date, Reporter& reporter,
                 const std::function<void(std::size_t, const Prepared&)>& visit);

bool is_staged(const Json& manifest);

// Of a staged run's folder: the last stage that has begun.
std::filesystem::path last_stage_of(const std::filesystem::path& run);

class StagedRun {
 public:
  // Checks all stages; only then the folder is made.
  static StagedRun create(StagedRecipe recipe, Force force, Echo echo);
  static StagedRun open(RunFolder folder, Echo echo);

  Ended run();
  const RunFolder& folder() const { return folder_; }

 private:
  StagedRun(RunFolder folder, StagedRecipe recipe, Echo echo)
      : folder_(std::move(folder)), recipe_(std::move(recipe)), echo_(echo) {}

  void record_stages(const std::vector<Index>& steps, const std::vector<Json>& inputs);
  void check_inputs(std::size_t at) const;
  Ended run_stage(std::size_t at);
  void merge_into(const std::filesystem::path& folder, std::size_t at, Reporter& reporter) const;
  Ended begin_stage(std::size_t at, Reporter& reporter);
  void record(std::size_t at, std::string_view state);
  void end(std::string_view state);

  std::filesystem::path path_of(std::size_t at) const { return folder_.path() / recipe_.stages[at].name; }
  std::filesystem::path model_of(std::size_t at) const;  // that the stage starts from
  Json& entry(std::size_t at) { return folder_.manifest()["stages"][at]; }

  RunFolder folder_;
  StagedRecipe recipe_;
  Echo echo_;
  temper::templates::Date date_{};
};

}  // namespace temper_cli
