// SPDX-License-Identifier: MIT
// How many answers a step of reinforcement learning samples, and how many at the same time.
#pragma once
#include <algorithm>

#include "recipe.hpp"

namespace temper_cli {

// To each prompt.
inline Index answers_of_prompt(const Recipe& recipe) {
  return recipe.is("objective.advantage", "gae") ? 1 : recipe.integer("objective.group_size");
}
inline Index answers_of_step(const Recipe& recipe) {
  return recipe.integer("training.batch_size") * recipe.integer("training.gradient_accumulation") *
         answers_of_prompt(recipe);
}
// As many as a micro-batch has, and where these are few, some more: one token each is little work.
inline Index answers_at_once(const Recipe& recipe) {
  constexpr Index some = 16;
  return std::min(answers_of_step(recipe), std::max(recipe.integer("training.batch_size"), some));
}

}  // namespace temper_cli
