// SPDX-License-Identifier: MIT
// 'temper plan': everything is read and checked as for training, and nothing is trained.
#include <unistd.h>

#include "answer_counts.hpp"
#include "commands.hpp"
#include "format.hpp"
#include "machine.hpp"
#include "staged_run.hpp"

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

// What a plan tells, once the rows and the model are gone again.
struct Estimate {
  temper::Plan plan;
  Index steps, tokens, shared, trained, all, rows, validation;
  double step_seconds;
  Drawing drawing;
  Json device, cache;
};

Estimate estimate_of(const Prepared& prepared) {
  const Drawing drawing = drawing_of(prepared);
  const bool shares =
      temper::can_share(prepared.engine->config(), prepared.recipe.is("adapter.method", "prompt") ? 1 : 0);
  return {.plan = prepared.largest_plan(),
          .steps = prepared.data->steps(),
          .tokens = prepared.data->tokens(),
          .shared = shares ? prepared.data->shared_tokens() : 0,
          .trained = prepared.engine->trained_parameters(),
          .all = prepared.engine->all_parameters(),
          .rows = static_cast<Index>(prepared.data->train().size()),
          .validation = static_cast<Index>(prepared.data->validation().size()),
          .step_seconds = seconds_of_step(prepared, drawing),
          .drawing = drawing,
          .device = prepared.recipe.value("device"),
          .cache = prepared.cache ? prepared.cache->json(*prepared.data) : Json()};
}

Json described(const Estimate& estimate) {
  Json result = to_json(estimate.plan);
  result.update({{"steps", estimate.steps},
                 {"tokens", estimate.tokens},
                 {"shared_tokens", estimate.shared},
                 {"generation_passes", estimate.drawing.passes},
                 {"step_seconds", estimate.step_seconds},
                 {"device", estimate.device},
                 {"fits", estimate.plan.peak_bytes() <= available_memory()}});
  if (!estimate.cache.is_null()) result["cache"] = estimate.cache;
  return result;
}

void print(const Estimate& estimate, const Screen& screen) {
  print_line(coloured(screen, "1", "memory"));
  std::string table = estimate.plan.table();
  table.pop_back();
  print_line(table);
  print_line(coloured(screen, "1", "run"));
  print_line(fmt::format("  parameters   {}, {} trained", count_text(estimate.all), count_text(estimate.trained)));
  print_line(
      fmt::format("  rows         {}{}", count_text(estimate.rows),
                  estimate.validation == 0 ? "" : fmt::format(", {} for validation", count_text(estimate.validation))));
  print_line(fmt::format("  steps        {}", count_text(estimate.steps)));
  print_line(fmt::format(
      "  tokens       {}{}", count_text(estimate.tokens),
      estimate.shared == 0
          ? ""
          : fmt::format(", {} of them prompts that the other side of the pair has read", count_text(estimate.shared))));
  if (!estimate.cache.is_null())
    print_line(fmt::format(
        "  cache        {}, {}: {} tokens are read once, {} not again", estimate.cache["file"].get<std::string>(),
        bytes_text(estimate.cache["bytes"].get<std::size_t>()), count_text(estimate.cache["tokens"].get<Index>()),
        count_text(estimate.cache["saved_tokens"].get<Index>())));
  if (estimate.drawing.passes > 0)
    print_line(fmt::format("  answers      {} tokens a step at most, in {} passes of {}",
                           count_text(estimate.drawing.tokens), count_text(estimate.drawing.passes),
                           count_text(estimate.drawing.at_once)));
  print_line(fmt::format("  a step       about {}", duration_text(estimate.step_seconds)));
  print_line(fmt::format("  the run      about {}",
                         duration_text(estimate.step_seconds * static_cast<double>(estimate.steps))));
}

void print_device(std::size_t needed, const Screen& screen) {
  const std::size_t available = available_memory();
  print_line(
      fmt::format("  device       cpu, {} free: {}", bytes_text(available),
                  needed <= available ? coloured(screen, "32", "fits") : coloured(screen, "31", "does not fit")));
}

// The most that any stage needs, since only one is in memory at a time; steps, tokens and time of all.
int plan_stages(const RecipeOptions& options) {
  const StagedRecipe recipe = StagedRecipe::read(options.recipe, options.set);
  Reporter reporter;
  const Screen screen = Screen::of(STDOUT_FILENO);
  std::vector<Estimate> stages;
  over_stages(recipe, 0, today(), reporter, [&](std::size_t at, const Prepared& prepared) {
    stages.push_back(estimate_of(prepared));
    if (options.json) return;
    print_line(coloured(screen, "1", title_of(recipe, at)));
    print(stages.back(), screen);
  });
  const auto largest = std::max_element(stages.begin(), stages.end(), [](const Estimate& a, const Estimate& b) {
    return a.plan.peak_bytes() < b.plan.peak_bytes();
  });
  Index steps = 0, tokens = 0, shared = 0;
  double seconds = 0;
  for (const Estimate& each : stages) {
    steps += each.steps, tokens += each.tokens, shared += each.shared;
    seconds += each.step_seconds * static_cast<double>(each.steps);
  }
  if (!options.json) {
    print_line(coloured(screen, "1", "all stages"));
    print_line(fmt::format("  memory       {}, the most that one needs", bytes_text(largest->plan.peak_bytes())));
    print_line(fmt::format("  steps        {}", count_text(steps)));
    print_line(fmt::format("  the run      about {}", duration_text(seconds)));
    print_device(largest->plan.peak_bytes(), screen);
    return done;
  }
  Json result = described(*largest);
  result.update({{"steps", steps},
                 {"tokens", tokens},
                 {"shared_tokens", shared},
                 {"step_seconds", seconds / static_cast<double>(steps)}});
  for (std::size_t i = 0; i < stages.size(); ++i) {
    Json stage{{"stage", i + 1}, {"task", recipe.stages[i].recipe.value("task")}};
    stage.update(described(stages[i]));
    result["stages"].push_back(std::move(stage));
  }
  print_line(temper::to_text(result));
  return done;
}

}  // namespace

int plan(const RecipeOptions& options) {
  if (StagedRecipe::is_one(options.recipe)) return plan_stages(options);
  Recipe recipe = Recipe::read(options.recipe, options.set);
  Reporter reporter;
  const Estimate estimate = estimate_of(prepare(std::move(recipe), today(), reporter));
  if (options.json) {
    print_line(temper::to_text(described(estimate)));
    return done;
  }
  const Screen screen = Screen::of(STDOUT_FILENO);
  print(estimate, screen);
  print_device(estimate.plan.peak_bytes(), screen);
  return done;
}

}  // namespace temper_cli
