// SPDX-License-Identifier: MIT
// 'temper train' and 'temper resume'.
#include "commands.hpp"
#include "run.hpp"
#include "staged_run.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;

int finish(const Ended& ended, const RunFolder& run, const fs::path& shown, bool json) {
  const std::string state = ended.code == done ? "completed" : "stopped";
  if (json)
    print_line(temper::to_text({{"run", shown.string()}, {"state", state}}));
  else if (ended.code == done)
    print_line((run.path() / ended.output).string());
  return ended.code;
}

Echo echo_of(bool json) { return json ? Echo::standard_output : Echo::none; }

}  // namespace

int train(const TrainOptions& options) {
  const Force force = options.force ? Force::yes : Force::no;
  if (StagedRecipe::is_one(options.recipe)) {
    StagedRecipe recipe = StagedRecipe::read(options.recipe, options.set);
    const fs::path output = recipe.output;
    check_output(output, force);
    for (const Stage& stage : recipe.stages)
      if (options.force) check_replacement(stage.recipe, output);
    StagedRun run = StagedRun::create(std::move(recipe), force, echo_of(options.json));
    return finish(run.run(), run.folder(), output, options.json);
  }
  Recipe recipe = Recipe::read(options.recipe, options.set);
  const fs::path output = recipe.path("output");
  check_output(output, force);
  if (options.force) check_replacement(recipe, output);

  Reporter reporter;
  Prepared prepared = prepare(std::move(recipe), today(), reporter);
  require_memory(prepared.largest_plan());
  const Json inputs = hash_inputs(prepared.recipe);
  // All checks have passed: from here on the disk is written.
  RunFolder run = RunFolder::create(output, force);
  return finish(begin_run(prepared, run, prepared.recipe.resolved(), inputs, reporter, echo_of(options.json)), run,
                output, options.json);
}

int resume(const ResumeOptions& options) {
  RunFolder run = RunFolder::open(fs::absolute(options.run).lexically_normal());
  if (run.manifest()["state"] == "completed") {
    if (options.json) print_line(temper::to_text({{"run", options.run}, {"state", "completed"}}));
    fmt::print(stderr, "{}: this run is complete; nothing is left to do\n", temper::shown_path(options.run));
    return done;
  }
  if (is_staged(run.manifest())) {
    StagedRun staged = StagedRun::open(std::move(run), echo_of(options.json));
    return finish(staged.run(), staged.folder(), options.run, options.json);
  }
  Reporter reporter;
  return finish(go_on(run, reporter, echo_of(options.json)), run, options.run, options.json);
}

}  // namespace temper_cli
