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
#include "temper/data/dataset_reader.hpp"
#include "temper/data/table/open_all_rows.hpp"

namespace temper_cli {

int check(const RecipeOptions& options) {
  const Recipe recipe = Recipe::read(options.recipe, options.set, Words::all);
  require_model_folder(recipe.path("model"));
  const temper::Tokenizer tokenizer = temper::Tokenizer::open(recipe.path("model"));
  const temper::DataSettings settings = data_settings(recipe, today());
  temper::DataReporter reporter;
  const temper::DatasetPair rows = temper::load_rows(settings, tokenizer, temper::open_all_rows, &reporter);
  const temper::DataReport report = reporter.report(rows, settings, tokenizer);
  if (options.json) {
    print_line(temper::to_text(to_json(report)));
    return done;
  }
  Screen screen = Screen::of(STDOUT_FILENO);
  if (!screen.terminal) screen.width = 100;
  print_line(report_text(report, screen));
  return done;
}

}  // namespace temper_cli
