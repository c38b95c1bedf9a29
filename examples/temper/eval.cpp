// SPDX-License-Identifier: MIT
// 'temper eval': the validation loss of a recipe's model as it is, or of what a run has trained.
#include <cmath>

#include "class_report.hpp"
#include "commands.hpp"
#include "format.hpp"
#include "metrics.hpp"
#include "staged_run.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;

bool is_run(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

// Which weights of a run: what it published, or else its newest checkpoint.
struct Trained {
  std::optional<fs::path> adapter, checkpoint;
};

Trained trained_of(const fs::path& run, Recipe& recipe) {
  std::error_code error;
  if (fs::exists(run / "adapter", error)) return {run / "adapter", std::nullopt};
  if (fs::exists(run / "model", error)) {
    recipe.settle("model", (run / "model").string());
    return {};
  }
  const std::optional<Checkpoint> newest = Checkpoints(run, "all").newest();
  temper::require(newest.has_value(), temper::Fault::usage, "eval.nothing",
                  "{}: has trained nothing yet; expected an adapter, a model or a checkpoint", temper::shown_path(run));
  return {std::nullopt, newest->folder};
}

}  // namespace

int evaluate(const EvalOptions& options) {
  fs::path given = options.recipe;
  const bool run = is_run(given);
  if (run && is_staged(read_manifest(given))) given = last_stage_of(given);
  Recipe recipe = Recipe::read(run ? given / "recipe.json" : given, options.set);
  if (!recipe.has("data.validation"))
    recipe.refuse("data.validation",
                  "is not set; expected rows to evaluate on, such as --set data.validation=rows.jsonl");
  Trained trained;
  if (run) trained = trained_of(fs::absolute(given), recipe);

  for (const KeyPath key : {KeyPath("objective.cache_reference"), KeyPath("objective.cache_teacher")})
    if (!recipe.value(key).is_null()) recipe.settle(key, Json::parse(find_key(key.path)->fallback));

  recipe.settle("training.warmup_steps", 0);  // nothing is trained: no rate is to be warned of

  Reporter reporter;
  Prepared prepared =
      prepare(std::move(recipe), run ? date_of(read_manifest(given).value("date", Json())) : today(), reporter);
  Engine& engine = *prepared.engine;
  engine.start(engine.plan({{}, prepared.data->validation_shapes()}));
  if (trained.adapter) engine.load_adapter(*trained.adapter);
  if (trained.checkpoint) engine.load_state(*trained.checkpoint);
  const Evaluation evaluation = evaluate_rows(engine, *prepared.data);
  if (options.json) {
    Json result = to_json(evaluation);
    if (!evaluation.sums.classes.empty()) result.update(class_report(evaluation.sums.classes, *prepared.labels));
    print_line(temper::to_text(result));
  } else if (prepared.labels) {
    const bool predicts = evaluation.sums.predicts == temper::Predicts::yes;
    print_line(fmt::format("loss {:.6f}{} over {} rows", evaluation.loss(),
                           predicts ? fmt::format(", accuracy {:.4f},", evaluation.sums.accuracy()) : "",
                           evaluation.rows));
    if (!evaluation.sums.classes.empty()) print_line(class_text(evaluation.sums.classes, *prepared.labels));
  } else if (prepared.recipe.is("task", "dpo")) {
    print_line(fmt::format("loss {:.6f}, accuracy {:.4f}, over {}", evaluation.loss(), evaluation.sums.accuracy(),
                           counted_text(evaluation.rows, "pair")));
  } else {
    print_line(fmt::format("loss {:.6f}, perplexity {:.4f}, accuracy {:.4f}, over {} tokens of {} rows",
                           evaluation.loss(), std::exp(evaluation.loss()), evaluation.sums.accuracy(),
                           evaluation.supervised, evaluation.rows));
  }
  return done;
}

}  // namespace temper_cli
