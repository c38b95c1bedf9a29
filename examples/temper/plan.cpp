// SPDX-License-Identifier: MIT
// 'temper plan': everything is read and checked as for training, and nothing is trained.
#include <unistd.h>

#include "commands.hpp"
#include "format.hpp"
#include "machine.hpp"
#include "training.hpp"

namespace temper_cli {
namespace {

// The work of the largest micro-batch, scaled to the mean step, at the speed that products reach here. Attention, norms
// and the update are slower than products; 0.6 is what a step reaches of that speed.
double seconds_of_step(const Prepared& prepared) {
  Index largest = 1;
  for (const temper::BatchShape& shape : prepared.data->training_shapes()) largest = std::max(largest, shape.tokens);
  const double tokens = static_cast<double>(prepared.data->tokens()) / static_cast<double>(prepared.data->steps());
  const int threads = prepared.recipe.has("threads") ? static_cast<int>(prepared.recipe.integer("threads")) : 0;
  double flops = prepared.plan.cost().flops * tokens / static_cast<double>(largest);
  // Answers are read twice (a third of the work each), drawn token by token, and gone over again and again.
  if (prepared.recipe.is("task", "ppo")) flops *= 1 + static_cast<double>(prepared.recipe.integer("objective.epochs"));
  return flops / (0.6 * measured_flops_per_second(threads));
}

}  // namespace

int plan(const RecipeOptions& options) {
  Recipe recipe = Recipe::read(options.recipe, options.set);
  Reporter reporter;
  const Prepared prepared = prepare(std::move(recipe), today(), reporter);
  const std::size_t available = available_memory();
  const bool fits = prepared.plan.peak_bytes() <= available;
  const double seconds = seconds_of_step(prepared);
  const Index steps = prepared.data->steps();
  const bool shares =
      temper::can_share(prepared.engine->config(), prepared.recipe.is("adapter.method", "prompt") ? 1 : 0);
  const Index shared = shares ? prepared.data->shared_tokens() : 0;
  if (options.json) {
    Json result = to_json(prepared.plan);
    result.update({{"steps", steps},
                   {"tokens", prepared.data->tokens()},
                   {"shared_tokens", shared},
                   {"step_seconds", seconds},
                   {"device", prepared.recipe.value("device")},
                   {"fits", fits}});
    print_line(temper::to_text(result));
    return done;
  }
  const Screen screen = Screen::of(STDOUT_FILENO);
  const Engine& engine = *prepared.engine;
  print_line(coloured(screen, "1", "memory"));
  std::string table = prepared.plan.table();
  table.pop_back();
  print_line(table);
  print_line(coloured(screen, "1", "run"));
  print_line(fmt::format("  parameters   {}, {} trained", count_text(engine.all_parameters()),
                         count_text(engine.trained_parameters())));
  print_line(fmt::format(
      "  rows         {}{}", count_text(static_cast<Index>(prepared.data->train().size())),
      prepared.data->validation().size() == 0
          ? ""
          : fmt::format(", {} for validation", count_text(static_cast<Index>(prepared.data->validation().size())))));
  print_line(fmt::format("  steps        {}", count_text(steps)));
  print_line(fmt::format(
      "  tokens       {}{}", count_text(prepared.data->tokens()),
      shared == 0 ? ""
                  : fmt::format(", {} of them prompts that the other side of the pair has read", count_text(shared))));
  print_line(fmt::format("  a step       about {}", duration_text(seconds)));
  print_line(fmt::format("  the run      about {}", duration_text(seconds * static_cast<double>(steps))));
  print_line(fmt::format("  device       cpu, {} free: {}", bytes_text(available),
                         fits ? coloured(screen, "32", "fits") : coloured(screen, "31", "does not fit")));
  return done;
}

}  // namespace temper_cli
