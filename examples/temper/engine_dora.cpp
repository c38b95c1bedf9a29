// SPDX-License-Identifier: MIT
#include "adapter_settings.hpp"
#include "engine_of.hpp"

namespace temper_cli {

std::unique_ptr<Engine> open_dora_engine(const Recipe& recipe) {
  return with_optimizer(recipe, [&]<class R>(R optimizer) -> std::unique_ptr<Engine> {
    return std::make_unique<EngineOf<temper::Dora<>, R>>(recipe, temper::Dora<>{lora_settings(recipe)},
                                                         std::move(optimizer));
  });
}

}  // namespace temper_cli
