// SPDX-License-Identifier: MIT
#include "engine_of.hpp"

namespace temper_cli {

std::unique_ptr<Engine> open_full_engine(const Recipe& recipe, const Labels& labels) {
  return std::make_unique<EngineOf<temper::Full>>(recipe, temper::Full{}, labels);
}

}  // namespace temper_cli
