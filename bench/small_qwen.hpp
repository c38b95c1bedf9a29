// SPDX-License-Identifier: MIT
// What benchmarks of whole steps share: a model shaped as Qwen2.5-0.5B, of fewer layers and tokens, made in memory, and
// the median of what was measured.
#pragma once
#include <algorithm>
#include <vector>

#include "temper/temper.hpp"

namespace temper::bench {

inline constexpr std::uint64_t small_vocabulary = 32768;

inline Config small_qwen(Index layers) {
  return read_config({{"model_type", "qwen2"},
                      {"vocab_size", small_vocabulary},
                      {"hidden_size", 896},
                      {"num_hidden_layers", layers},
                      {"num_attention_heads", 14},
                      {"num_key_value_heads", 2},
                      {"intermediate_size", 4864},
                      {"max_position_embeddings", 4096},
                      {"rope_theta", 1e6},
                      {"tie_word_embeddings", true},
                      {"rms_norm_eps", 1e-6}},
                     "small_qwen");
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace temper::bench
