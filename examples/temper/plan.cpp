// SPDX-License-Identifier: MIT
// 'temper plan': everything is read and checked as for training, and nothing is trained.
#include <unistd.h>

#include "answer_counts.hpp"
#include "commands.hpp"
#include "format.hpp"
#include "machine.hpp"
#include "training.hpp"

namespace temper_cli {
namespace {

// How a step of reinforcement learning draws its answers: every pass through the model gives one token to each of as
// many as are answered at the same time.
struct Drawing {
  Index passes = 0, at_once = 0, tokens = 0, prompts = 0;  // tokens: that are drawn; prompts: tokens that are read
};
Drawing drawing_of(const Prepared& prepared) {
  const Recipe& recipe = prepared.recipe;
  if (!recipe.is("task", "ppo") || recipe.has("objective.rollouts")) return {};
  const Index longest = recipe.integer("objective.max_new_tokens"), at_once = answers_at_once(recipe);
  const Index answers = answers_of_step(recipe), steps = prepared.data->steps();
  const Index all = prepared.data->tokens() / steps;
  return {.passes = (answers + at_once - 1) / at_once * longest,
          .at_once = at_once,
          .tokens = answers * longest,
          .prompts = std::max<Index>(0, all - answers * longest) / answers_of_prompt(recipe)};
}

// The work of the largest micro-batch, scaled to the mean step, at the speed that products reach here. Attention, norms
// and the update are slower than products; 0.6 is what a step reaches of that speed.
double seconds_of_step(const Prepared& prepared, const Drawing& drawing) {
  Index largest = 1;
  for (const temper::BatchShape& shape : prepared.data->training_shapes()) largest = std::max(largest, shape.tokens);
  const double tokens = static_cast<double>(prepared.data->tokens()) / static_cast<double>(prepared.data->steps());
  const int threads = prepared.recipe.has("threads") ? static_cast<int>(prepared.recipe.integer("threads")) : 0;
  const double speed = 0.6 * measured_flops_per_second(threads);
  const double of_token = prepared.plan.cost().flops / static_cast<double>(largest) / speed;
  if (!prepared.recipe.is("task", "ppo")) return tokens * of_token;
  // Answers are read twice, a third of the work each, and gone over again and again.
  const double learning =
      tokens * of_token * (2.0 / 3 + static_cast<double>(prepared.recipe.integer("objective.epochs")));
  if (drawing.passes == 0) return learning;
  // A pass of few rows waits for the weights, one of many for the arithmetic.
  const double weights = static_cast<double>(prepared.plan.of(temper::Holder::frozen_weights) +
                                             prepared.plan.of(temper::Holder::trained_weights));
  const double pass =
      std::max(static_cast<double>(drawing.at_once) * of_token / 3, weights / measured_bytes_per_second(threads));
  return learning + static_cast<double>(drawing.prompts) * of_token / 3 + static_cast<double>(drawing.passes) * pass;
}

}  // namespace

int plan(const RecipeOptions& options) {
  Recipe recipe = Recipe::read(options.recipe, options.set);
  Reporter reporter;
  const Prepared prepared = prepare(std::move(recipe), today(), reporter);
  const std::size_t available = available_memory();
  const bool fits = prepared.plan.peak_bytes() <= available;
  const Drawing drawing = drawing_of(prepared);
  const double seconds = seconds_of_step(prepared, drawing);
  const Index steps = prepared.data->steps();
  const bool shares =
      temper::can_share(prepared.engine->config(), prepared.recipe.is("adapter.method", "prompt") ? 1 : 0);
  const Index shared = shares ? prepared.data->shared_tokens() : 0;
  if (options.json) {
    Json result = to_json(prepared.plan);
    result.update({{"steps", steps},
                   {"tokens", prepared.data->tokens()},
                   {"shared_tokens", shared},
                   {"generation_passes", drawing.passes},
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
  if (drawing.passes > 0)
    print_line(fmt::format("  answers      {} tokens a step at most, in {} passes of {}", count_text(drawing.tokens),
                           count_text(drawing.passes), count_text(drawing.at_once)));
  print_line(fmt::format("  a step       about {}", duration_text(seconds)));
  print_line(fmt::format("  the run      about {}", duration_text(seconds * static_cast<double>(steps))));
  print_line(fmt::format("  device       cpu, {} free: {}", bytes_text(available),
                         fits ? coloured(screen, "32", "fits") : coloured(screen, "31", "does not fit")));
  return done;
}

}  // namespace temper_cli
