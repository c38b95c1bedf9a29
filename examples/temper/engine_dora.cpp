// SPDX-License-Identifier: MIT
#include "adapter_settings.hpp"
#include "engine_of.hpp"

namespace temper_cli {

std::unique_ptr<Engine> open_dora_engine(const Recipe& recipe, const Labels& labels) {
  return std::make_unique<EngineOf<temper::Dora<>>>(recipe, temper::Dora<>{lora_settings(recipe)}, labels);
}

}  // namespace temper_cli
