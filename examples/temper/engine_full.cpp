// SPDX-License-Identifier: MIT
#include "engine_of.hpp"

namespace temper_cli {

std::unique_ptr<Engine> open_full_engine(const Recipe& recipe) {
  return std::make_unique<EngineOf<temper::Full>>(recipe, temper::Full{});
}

}  // namespace temper_cli
