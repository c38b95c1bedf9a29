// SPDX-License-Identifier: MIT
#include "engine_of.hpp"

namespace temper_cli {

std::unique_ptr<Engine> open_prompt_engine(const Recipe& recipe, const Labels& labels) {
  const temper::PromptTuning prompt{.virtual_tokens = recipe.integer("adapter.virtual_tokens")};
  return std::make_unique<EngineOf<temper::PromptTuning>>(recipe, prompt, labels);
}

}  // namespace temper_cli
