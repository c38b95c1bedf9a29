// SPDX-License-Identifier: MIT
// 'temper check': the data report over all rows. Findings are advice, so the exit code says only whether the rows could
// be read.
#include <unistd.h>

#include "commands.hpp"
#include "engine.hpp"
#include "exit_code.hpp"
#include "metrics.hpp"
#include "report_text.hpp"
#include "run_data.hpp"
#include "staged_recipe.hpp"
#include "temper/data/dataset_reader.hpp"
#include "temper/data/table/open_all_rows.hpp"

namespace temper_cli {
namespace {

temper::DataReport report_of(const Recipe& recipe) {
  require_model_folder(recipe.path("model"));
  const temper::Tokenizer tokenizer = temper::Tokenizer::open(recipe.path("model"));
  const temper::DataSettings settings = data_settings(recipe, today());
  temper::DataReporter reporter;
  const temper::DatasetPair rows = temper::load_rows(settings, tokenizer, temper::open_all_rows, &reporter);
  return reporter.report(rows, settings, tokenizer);
}

int check_stages(const RecipeOptions& options, const Screen& screen) {
  const StagedRecipe recipe = StagedRecipe::read(options.recipe, options.set, Words::all);
  Json stages = Json::array();
  for (std::size_t i = 0; i < recipe.stages.size(); ++i) {
    const temper::DataReport report = report_of(recipe.stages[i].recipe);
    Json stage{{"stage", i + 1}, {"task", recipe.stages[i].recipe.value("task")}};
    stage.update(to_json(report));
    stages.push_back(std::move(stage));
    if (options.json) continue;
    print_line(coloured(screen, "1", title_of(recipe, i)));
    print_line(report_text(report, screen));
  }
  if (options.json) print_line(temper::to_text({{"stages", std::move(stages)}}));
  return done;
}

}  // namespace

int check(const RecipeOptions& options) {
  Screen screen = Screen::of(STDOUT_FILENO);
  if (!screen.terminal) screen.width = 100;
  if (StagedRecipe::is_one(options.recipe)) return check_stages(options, screen);
  const temper::DataReport report = report_of(Recipe::read(options.recipe, options.set, Words::all));
  print_line(options.json ? temper::to_text(to_json(report)) : report_text(report, screen));
  return done;
}

}  // namespace temper_cli
