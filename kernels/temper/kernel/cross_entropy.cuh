// SPDX-License-Identifier: MIT
// Log-probabilities and cross-entropy over logits [rows, columns] that are a chunk of the vocabulary, so that all of
// them never exist at once. A first pass over the chunks keeps, for each row, the largest logit, the sum of
// exp(z - largest) and the logit of the label (Milakov and Gimelshein 2018); then
//   lse = largest + log(sum)        log p = z[label] - lse
// and a second pass over the same chunks makes the gradient in the place of the logits:
//   dz = (exp(z - lse) - [column is the label]) weight[row]
// z may be bounded, cap tanh(z / cap) (Gemma 2), and divided by a temperature; dz is then that of the logits given.
// A block takes a row. Sums are in float, in an order that is fixed. A label below 0 is none: its row has gradient 0.
#pragma once
#include "temper/kernel/row_pieces.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

inline constexpr float log2_of_e = 1.44269504088896340736f, log_of_2 = 0.693147180559945309417f;

// What a loss makes of a logit before anything else.
struct LogitForm {
  float cap = 0;   // cap tanh(logit / cap); 0: as it is
  float cold = 1;  // one over the temperature

  struct Shaped {
    float z, slope;  // at temperature 1, and dz by the logit
  };
  TEMPER_DEVICE Shaped shaped(float logit) const {
    if (!(cap > 0)) return {logit, 1.0f};
    const float bend = device::hyperbolic_tangent(device::quotient(logit, cap));
    return {cap * bend, 1.0f - bend * bend};
  }
  TEMPER_DEVICE float of(float logit) const { return shaped(logit).z * cold; }
};

// Of a row, over the chunks so far.
struct LogitSum {
  float largest, sum, of_label;
};

// exp(x - base), where both may be minus infinity: nothing yet.
TEMPER_DEVICE float exp_below(float x, float base) {
  return x == -device::infinity() ? 0.0f : device::power_of_two((x - base) * log2_of_e);
}

enum class LogitChunk { first, further };

// Of a row, which column of the chunk is its label, if one is; a row without a label counts nowhere.
struct LabelInChunk {
  bool counts;
  Index column;
  TEMPER_DEVICE LabelInChunk(std::int32_t label, std::int32_t first_column)
      : counts(label >= 0), column(counts ? Index{label} - first_column : Index{-1}) {}
  TEMPER_DEVICE float at(int c) const { return c == column ? 1.0f : 0.0f; }
};

template <class T>
struct LogitSums {
  static constexpr int threads = 256, warps = threads / device::warp_size, width = 16 / int{sizeof(T)};
  struct Shared {
    float largest[warps], sum[warps];
  };
  const T* logits;
  const std::int32_t* labels;  // [rows], in the whole vocabulary
  LogitSum* sums;              // [rows]
  int columns;
  std::int32_t first_column;  // of the chunk, in the vocabulary
  LogitChunk chunk;
  LogitForm form{};

  TEMPER_DEVICE void operator()(device::Block<LogitSums>& block) const {
    const Index row = block.index().x;
    const T* z = logits + row * columns;
    float largest = -device::infinity(), sum = 0;
    const auto piece = [&](int first) {
      const auto some = device::load<width>(z + first);
      float highest = largest, x[std::size_t{width}];
      TEMPER_UNROLL
      for (int e = 0; e < width; ++e) highest = device::larger(highest, x[e] = form.of(device::widen(some[e])));
      sum *= exp_below(largest, highest);
      largest = highest;
      TEMPER_UNROLL
      for (int e = 0; e < width; ++e) sum += exp_below(x[e], largest);
    };
    const auto one = [&](int c) {
      const float x = form.of(device::widen(z[c])), highest = device::larger(largest, x);
      sum = sum * exp_below(largest, highest) + exp_below(x, highest);
      largest = highest;
    };
    over_row<width>(block, columns, whole_pieces<width>(columns, logits), piece, one);
    const float of_warp = warp_max(block.warp(), largest);
    if (block.lane() == 0) block.shared.largest[block.warp_index()] = of_warp;
    block.sync();
    float highest = warp_max(block.warp(), block.shared.largest[block.lane() % warps]);
    sum = block_sum(block, sum * exp_below(largest, highest), block.shared.sum);
    if (block.thread() != 0) return;
    LogitSum of_row{highest, sum, 0};
    if (chunk == LogitChunk::further) {
      const LogitSum before = sums[row];
      highest = device::larger(before.largest, of_row.largest);
      of_row = {highest,
                before.sum * exp_below(before.largest, highest) + of_row.sum * exp_below(of_row.largest, highest),
                before.of_label};
    }
    const Index label = LabelInChunk(labels[row], first_column).column;
    if (label >= 0 && label < columns) of_row.of_label = form.of(device::widen(z[label]));
    sums[row] = of_row;
  }
};

// A row a thread; of rows without a label the log-probability is 0.
struct LogProbabilities {
  static constexpr int threads = 256;
  using Shared = device::NoShared;
  const LogitSum* sums;
  const std::int32_t* labels;
  float* lse;
  float* log_probability;
  int rows;

  static int grid(int rows) { return (rows + threads - 1) / threads; }

  TEMPER_DEVICE void operator()(device::Block<LogProbabilities>& block) const {
    const Index row = Index{block.index().x} * threads + block.thread();
    if (row >= rows) return;
    const LogitSum of_row = sums[row];
    const float of_all = of_row.largest + device::logarithm_of_two(of_row.sum) * log_of_2;
    lse[row] = of_all;
    log_probability[row] = labels[row] < 0 ? 0.0f : of_row.of_label - of_all;
  }
};

// In the place of the logits.
template <class T>
struct LogitGradient {
  static constexpr int threads = 256, width = 16 / int{sizeof(T)};
  using Shared = device::NoShared;
  T* logits;
  const std::int32_t* labels;
  const float* lse;
  const float* weight;  // [rows]: of a row's loss in the whole, negative log-probabilities summed
  int columns;
  std::int32_t first_column;
  LogitForm form{};

  TEMPER_DEVICE void operator()(device::Block<LogitGradient>& block) const {
    const Index row = block.index().x;
    T* z = logits + row * columns;
    const LabelInChunk label(labels[row], first_column);
    const float of_all = lse[row], scale = weight[row] * form.cold;
    const auto of = [&](T x, int column) {
      const auto [own, slope] = form.shaped(device::widen(x));
      const float p = device::power_of_two((own * form.cold - of_all) * log2_of_e);
      return device::narrow<T>(label.counts ? (p - label.at(column)) * scale * slope : 0.0f);
    };
    const auto piece = [&](int first) {
      auto some = device::load<width>(z + first);
      TEMPER_UNROLL
      for (int e = 0; e < width; ++e) some[e] = of(some[e], first + e);
      device::store(z + first, some);
    };
    over_row<width>(block, columns, whole_pieces<width>(columns, logits), piece, [&](int c) { z[c] = of(z[c], c); });
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
