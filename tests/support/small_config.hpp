// SPDX-License-Identifier: MIT
// A configuration small enough to compute by hand, for tests of a model's parts.
#pragma once
#include "temper/model/config.hpp"

namespace temper_test {

inline temper::Config small_config() {
  temper::Config config;
  config.model_type = "llama";
  config.vocabulary = 11, config.width = 8, config.layers = 2, config.heads = 4, config.kv_heads = 2;
  config.head_width = 4, config.feed_forward = 12;
  config.norm_epsilon = 1e-5, config.initializer_range = 0.3;
  config.windows = {0, 0};
  return config;
}

}  // namespace temper_test
