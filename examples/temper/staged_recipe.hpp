// SPDX-License-Identifier: MIT
// A recipe of stages: { "output": ..., "stages": [{...}, {...}] }, where each stage starts from the one before. Keys
// beside 'stages' hold for every stage, and a stage's own come before them.
#pragma once
#include "recipe.hpp"

namespace temper_cli {

// What a stage starts from.
enum class Start {
  model,      // the folder that the recipe names, or the whole model that the stage before has trained
  continued,  // the model of the stage before, with the adapter that it has trained
  merged,     // that adapter folded into that model, as a model of its own
};

struct Stage {
  Recipe recipe;  // its model is a stand-in, of the same shapes and tokens, until the stage before has made its own
  Start start = Start::model;
  std::string name;  // of its folder in the run's: '2-dpo'

  bool trains_adapter() const { return !recipe.is("adapter.method", "full"); }
};

struct StagedRecipe {
  std::vector<Stage> stages;
  std::filesystem::path output;

  static bool is_one(const std::filesystem::path& file);
  // Throws RecipeError with the mistakes of all stages. Of '--set', 'KEY=VALUE' holds for every stage and
  // 'stages.2.KEY=VALUE' for the second.
  static StagedRecipe read(const std::filesystem::path& file, const Recipe::Overrides& overrides,
                           Words words = Words::built);

  // The recipe with every default in it; reading it again gives the same one.
  Json resolved() const;
};

// How a stage is spoken of: 'stage 2 of 3: dpo'.
std::string title_of(const StagedRecipe& recipe, std::size_t at);

}  // namespace temper_cli
