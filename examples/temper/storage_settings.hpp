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

// What the recipe's model will be held in when it has been trained, or adapters have been folded into it; nothing where
// it is what lies in its folder now.
std::optional<temper::MergedCodes> codes_to_come(const Recipe& recipe);

// What the model becomes when an adapter is folded into it and this recipe goes on with that: what is quantized is held
// as the recipe asks for, densely where it does not.
temper::MergedCodes merged_as_asked(const temper::MergedCodes& model, const Recipe& recipe);

// A model that is quantized already decides the recipe's quantization, or refuses what disagrees.
void settle_storage(Recipe& recipe);

}  // namespace temper_cli
