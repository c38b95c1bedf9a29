// SPDX-License-Identifier: MIT
// What a recipe says of an adapter, as the library's settings.
#pragma once
#include "recipe.hpp"
#include "temper/adapter/lora.hpp"
#include "temper/storage/any_storage.hpp"

namespace temper_cli {

temper::Lora<temper::AnyStorage> lora_settings(const Recipe& recipe);  // of LoRA, and of DoRA's direction

}  // namespace temper_cli
