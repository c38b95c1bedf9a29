// SPDX-License-Identifier: MIT
#include "run.hpp"

#include "format.hpp"
#include "machine.hpp"
#include "temper/core/version.hpp"
#include "temper/io/hash.hpp"

namespace temper_cli {

using temper::Fault;

namespace {

Json first_manifest(const Prepared& prepared, const Json& inputs, const std::string& recipe_hash) {
  const Recipe& recipe = prepared.recipe;
  return {
      {"state", "running"},
      {"version", temper::version},
      {"started", now_text()},
      {"task", recipe.value("task")},
      {"method", recipe.value("adapter.method")},
      {"model", recipe.value("model")},
      {"seed", recipe.value("training.seed")},
      {"device", recipe.value("device")},
      {"date", to_json(prepared.date)},
      {"recipe_sha256", recipe_hash},
      {"inputs", inputs},
      {"rows",
       {{"training", prepared.data->train().size()},
        {"validation", prepared.data->validation().size()},
        {"truncated", prepared.data->train().truncated},
        {"dropped", prepared.data->train().dropped.size()}}},
      {"parameters", {{"trained", prepared.engine->trained_parameters()}, {"all", prepared.engine->all_parameters()}}},
      {"steps", prepared.data->steps()},
      {"step", 0},
      {"plan", to_json(prepared.largest_plan())}};
}

void introduce(const Prepared& prepared, Reporter& reporter) {
  const Engine& engine = *prepared.engine;
  const double share = 100.0 * static_cast<double>(engine.trained_parameters()) /
                       static_cast<double>(std::max<Index>(1, engine.all_parameters()));
  reporter.say(fmt::format("{}: {} parameters, {} trained ({:.2f} %), {}, {} planned",
                           prepared.recipe.text("adapter.method"), count_text(engine.all_parameters()),
                           count_text(engine.trained_parameters()), share, counted_text(prepared.data->steps(), "step"),
                           bytes_text(prepared.largest_plan().peak_bytes())));
}

}  // namespace

void require_memory(const temper::Plan& plan) {
  const std::size_t available = available_memory();
  temper::require(
      plan.peak_bytes() <= available, Fault::out_of_memory, "run.memory",
      "the run needs {} but {} are free; expected it to fit; lower batch_size or max_length, or see 'temper "
      "plan' for who needs what",
      bytes_text(plan.peak_bytes()), bytes_text(available));
}

Ended begin_run(Prepared& prepared, RunFolder& run, const Json& resolved, const Json& inputs, Reporter& reporter,
                Echo echo) {
  introduce(prepared, reporter);
  const std::string text = resolved.dump(2) + "\n";
  const std::string recipe_hash = temper::sha256_of(text);
  temper::write_file_atomically(run.file("recipe.json"), text);
  run.manifest() = first_manifest(prepared, inputs, recipe_hash);
  run.write_manifest();
  reporter.log_to(run.file("log.txt"));
  TrainingLoop loop(prepared, run, reporter, echo, recipe_hash, inputs);
  return {loop.run(std::nullopt), std::string(prepared.engine->output_name())};
}

std::string require_own_recipe(RunFolder& run) {
  std::string hash = temper::sha256_of(temper::read_file(run.file("recipe.json"), largest_recipe));
  const auto known = run.manifest().find("recipe_sha256");  // anything: it comes from a file
  temper::require(known != run.manifest().end() && known->is_string(), Fault::data, "run.manifest",
                  "{}: has no recipe_sha256; expected what the run wrote; put it back",
                  temper::shown_path(run.file("run.json")));
  temper::require(*known == hash, Fault::data, "run.recipe_changed",
                  "{}: has changed since the run began; expected what the run was started with; put it back",
                  temper::shown_path(run.file("recipe.json")));
  return hash;
}

Ended go_on(RunFolder& run, Reporter& reporter, Echo echo) {
  const std::string recipe_hash = require_own_recipe(run);
  reporter.log_to(run.file("log.txt"));
  const temper::templates::Date date = date_of(run.manifest().value("date", Json()));
  Recipe recipe = Recipe::read(run.file("recipe.json"), {});
  const std::optional<Checkpoint> from = Checkpoints(run.path(), recipe.text("checkpoint.keep")).newest();
  const Json inputs = hash_inputs(recipe);
  compare_inputs(from ? from->inputs : run.manifest().value("inputs", Json::object()), inputs);
  if (from) {
    temper::require(from->recipe_hash == recipe_hash, Fault::data, "run.recipe_changed",
                    "{}: has changed since the run began; expected what the run was started with; put it back",
                    temper::shown_path(run.file("recipe.json")));
    temper::require(hash_of_start(run.file("metrics.jsonl"), from->metrics_bytes) == from->metrics_hash, Fault::data,
                    "run.metrics_changed", "{}: has changed since step {} was saved; expected what the run wrote",
                    temper::shown_path(run.file("metrics.jsonl")), from->progress.step);
  }
  Prepared prepared = prepare(std::move(recipe), date, reporter);
  require_memory(prepared.largest_plan());
  introduce(prepared, reporter);
  reporter.say(from ? fmt::format("going on after step {}", from->progress.step)
                    : "starting anew: there is no checkpoint");
  run.manifest()["state"] = "running";
  for (const char* key : {"error", "finished", "measured"}) run.manifest().erase(key);
  run.write_manifest();
  TrainingLoop loop(prepared, run, reporter, echo, recipe_hash, inputs);
  return {loop.run(from), std::string(prepared.engine->output_name())};
}

}  // namespace temper_cli
