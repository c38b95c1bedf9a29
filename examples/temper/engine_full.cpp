// SPDX-License-Identifier: MIT
#include "engine_of.hpp"

namespace temper_cli {

std::unique_ptr<Engine> open_full_engine(const Recipe& recipe) {
  return with_optimizer(recipe, [&]<class R>(R optimizer) -> std::unique_ptr<Engine> {
    return std::make_unique<EngineOf<temper::Full, R>>(recipe, temper::Full{}, std::move(optimizer));
  });
}

}  // namespace temper_cli
