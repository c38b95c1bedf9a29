// SPDX-License-Identifier: MIT
// 'temper preview': rows as they will be trained, in training order.
#include <unistd.h>

#include <algorithm>

#include "commands.hpp"
#include "engine.hpp"
#include "exit_code.hpp"
#include "metrics.hpp"
#include "preview_rows.hpp"
#include "run_data.hpp"
#include "staged_recipe.hpp"

namespace temper_cli {
namespace {

constexpr const char* no_validation = "there are no validation rows; expected data.validation to be set";

// 'stage', counted from 1, is said with each row; 0: there are none.
void preview_rows(const PreviewOptions& options, const Recipe& recipe, std::size_t stage, const Screen& screen) {
  require_model_folder(recipe.path("model"));
  if (options.validation && !recipe.has("data.validation")) recipe.refuse("data.validation", no_validation);
  const RunData data(recipe, today());
  Reporter reporter;
  data.report(reporter);
  const PreviewRows rows(options.validation ? data.validation() : data.train(), data.tokenizer());
  const std::vector<Index> order = options.validation ? data.validation_order() : data.training_order();
  const Index count = std::min<Index>(rows.count(), options.rows.value_or(rows.count()));
  for (Index i = 0; i < count; ++i) {
    const Index row = order[static_cast<std::size_t>(i)];
    if (!options.json) {
      print_line(rows.text(row, screen));
      continue;
    }
    Json line = stage == 0 ? Json::object() : Json{{"stage", stage}};
    line.update(rows.json(row));
    print_line(temper::to_text(line));
  }
}

}  // namespace

int preview(const PreviewOptions& options) {
  const Screen screen = Screen::of(STDOUT_FILENO);
  if (!StagedRecipe::is_one(options.recipe)) {
    preview_rows(options, Recipe::read(options.recipe, options.set, Words::all), 0, screen);
    return done;
  }
  const StagedRecipe recipe = StagedRecipe::read(options.recipe, options.set, Words::all);
  const auto has_validation = [](const Stage& stage) { return stage.recipe.has("data.validation"); };
  if (options.validation && std::none_of(recipe.stages.begin(), recipe.stages.end(), has_validation))
    recipe.stages.front().recipe.refuse("data.validation", no_validation);
  for (std::size_t i = 0; i < recipe.stages.size(); ++i) {
    if (options.validation && !has_validation(recipe.stages[i])) continue;
    if (!options.json) print_line(coloured(screen, "1", title_of(recipe, i)));
    preview_rows(options, recipe.stages[i].recipe, i + 1, screen);
  }
  return done;
}

}  // namespace temper_cli
