// SPDX-License-Identifier: MIT
// How frozen weights are held: what a recipe says, and what a folder that is quantized already says.
#pragma once
#include <filesystem>
#include <optional>
#include <string_view>

#include "recipe.hpp"
#include "temper/model/config.hpp"
#include "temper/storage/any_storage.hpp"

namespace temper_cli {

temper::AnyStorage storage_settings(const Recipe& recipe);
temper::AnyStorage storage_of(const temper::Config& config);  // of a model as it lies

// Of quantization.type; anything but a quantization is dense.
temper::Coding coding_named(std::string_view type);

// What the recipe's model holds, or will hold when an adapter has been folded into it; nothing where it does not do
// otherwise than its folder does now.
std::optional<temper::Coding> coding_to_come(const Recipe& recipe);

// A model that is quantized already decides the recipe's quantization, or refuses what disagrees.
void settle_storage(Recipe& recipe);

}  // namespace temper_cli
