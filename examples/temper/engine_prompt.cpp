// SPDX-License-Identifier: MIT
#include "engine_of.hpp"
#include "storage_settings.hpp"

namespace temper_cli {

std::unique_ptr<Engine> open_prompt_engine(const Recipe& recipe, const Labels& labels) {
  using Prompt = temper::PromptTuningOn<temper::AnyStorage>;
  const Prompt prompt{.virtual_tokens = recipe.integer("adapter.virtual_tokens"), .storage = storage_settings(recipe)};
  return std::make_unique<EngineOf<Prompt>>(recipe, prompt, labels);
}

}  // namespace temper_cli
