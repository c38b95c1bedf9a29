// SPDX-License-Identifier: MIT
#include "engine_of.hpp"

namespace temper_cli {

std::unique_ptr<Engine> open_prompt_engine(const Recipe& recipe) {
  const temper::PromptTuning prompt{.virtual_tokens = recipe.integer("adapter.virtual_tokens")};
  return with_optimizer(recipe, [&]<class R>(R optimizer) -> std::unique_ptr<Engine> {
    return std::make_unique<EngineOf<temper::PromptTuning, R>>(recipe, prompt, std::move(optimizer));
  });
}

}  // namespace temper_cli
