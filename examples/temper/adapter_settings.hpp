// SPDX-License-Identifier: MIT
// What a recipe says of an adapter, as the library's settings.
#pragma once
#include "recipe.hpp"
#include "temper/adapter/lora.hpp"

namespace temper_cli {

temper::Lora<> lora_settings(const Recipe& recipe);  // of LoRA, and of DoRA's direction

}  // namespace temper_cli
