// SPDX-License-Identifier: MIT
// Verbs of the contract that are not built yet. Each leaves this file as it lands.
#include "commands.hpp"
#include "recipe.hpp"
#include "temper/core/error.hpp"

namespace temper_cli {
namespace {

[[noreturn]] void not_yet(const char* verb) {
  temper::fail(temper::Fault::usage, "program.not_yet", "'temper {}' is not yet built; see 'temper --help' for what is",
               verb);
}

}  // namespace

int check(const RecipeOptions&) { not_yet("check"); }
int export_model(const MergeOptions&) { not_yet("export"); }
int preview(const PreviewOptions&) { not_yet("preview"); }
int plan(const RecipeOptions& o) {
  fmt::print("{}\n", Recipe::read(o.recipe, o.set).resolved().dump(2));
  return 0;
}
int train(const TrainOptions&) { not_yet("train"); }
int resume(const ResumeOptions&) { not_yet("resume"); }
int evaluate(const EvalOptions&) { not_yet("eval"); }
int generate(const GenerateOptions&) { not_yet("generate"); }
int chat(const GenerateOptions&) { not_yet("chat"); }
int merge(const MergeOptions&) { not_yet("merge"); }

}  // namespace temper_cli
