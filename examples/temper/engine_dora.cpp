// SPDX-License-Identifier: MIT
#include "adapter_settings.hpp"
#include "engine_of.hpp"

namespace temper_cli {

std::unique_ptr<Engine> open_dora_engine(const Recipe& recipe, const Labels& labels) {
  const temper::Dora<temper::AnyStorage> dora{lora_settings(recipe)};
  return std::make_unique<EngineOf<temper::Dora<temper::AnyStorage>>>(recipe, dora, labels);
}

}  // namespace temper_cli
