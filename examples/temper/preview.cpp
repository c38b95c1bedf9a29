// SPDX-License-Identifier: MIT
// 'temper preview': rows as they will be trained, in training order.
#include <unistd.h>

#include "commands.hpp"
#include "engine.hpp"
#include "exit_code.hpp"
#include "metrics.hpp"
#include "preview_rows.hpp"
#include "run_data.hpp"

namespace temper_cli {

int preview(const PreviewOptions& options) {
  Recipe recipe = Recipe::read(options.recipe, options.set, Words::all);
  require_model_folder(recipe.path("model"));
  if (options.validation && !recipe.has("data.validation"))
    recipe.refuse("data.validation", "there are no validation rows; expected data.validation to be set");
  const RunData data(recipe, today());
  Reporter reporter;
  data.report(reporter);
  const PreviewRows rows(options.validation ? data.validation() : data.train(), data.tokenizer());
  const std::vector<Index> order = options.validation ? data.validation_order() : data.training_order();
  const Screen screen = Screen::of(STDOUT_FILENO);
  const Index count = std::min<Index>(rows.count(), options.rows.value_or(rows.count()));
  for (Index i = 0; i < count; ++i) {
    const Index row = order[static_cast<std::size_t>(i)];
    print_line(options.json ? temper::to_text(rows.json(row)) : rows.text(row, screen));
  }
  return done;
}

}  // namespace temper_cli
