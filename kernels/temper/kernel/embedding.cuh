// SPDX-License-Identifier: MIT
// Rows of a table by number, and the gradient of the table without atomics:
//   y[t] = table[ids[t]]        dtable[i] += sum over t with ids[t] = i of dy[t], in float, in the order of t
// The host sorts the tokens by their id; a block then takes one id. Which token is where does not change another's
// bits.
#pragma once
#include <algorithm>
#include <numeric>
#include <vector>

#include "temper/kernel/row_pieces.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// A block a token.
template <class T>
struct EmbeddingGather {
  static constexpr int threads = 128, width = 16 / int{sizeof(T)};
  using Shared = device::NoShared;
  const T* table;           // [vocabulary, columns]
  const std::int32_t* ids;  // [tokens]
  T* y;                     // [tokens, columns]
  int columns;

  TEMPER_DEVICE void operator()(device::Block<EmbeddingGather>& block) const {
    const Index token = block.index().x;
    const T* from = table + Index{ids[token]} * columns;
    T* to = y + token * columns;
    over_row<width>(
        block, columns, whole_pieces<width>(columns, table, y),
        [&](int first) { device::store(to + first, device::load<width>(from + first)); },
        [&](int c) { to[c] = from[c]; });
  }
};

// Tokens sorted by id, equal ids in their order: those of ids[i] are order[first[i]] to order[first[i + 1] - 1].
struct TokensOfIds {
  std::vector<std::int32_t> ids, first, order;

  explicit TokensOfIds(const std::vector<std::int32_t>& of_tokens) : order(of_tokens.size()) {
    const auto id_of = [&](std::int32_t token) { return of_tokens[static_cast<std::size_t>(token)]; };
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return id_of(a) < id_of(b); });
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i > 0 && id_of(order[i]) == ids.back()) continue;
      ids.push_back(id_of(order[i]));
      first.push_back(static_cast<std::int32_t>(i));
    }
    first.push_back(static_cast<std::int32_t>(order.size()));
  }
};

// A block an id that occurs: grid x over TokensOfIds::ids.
template <class T>
struct EmbeddingScatter {
  static constexpr int threads = 128, width = 4;  // floats of a lane, so that lanes fill sectors of the table
  using Shared = device::NoShared;
  const T* dy;              // [tokens, columns]
  const std::int32_t* ids;  // of TokensOfIds, and so are the next two
  const std::int32_t* first;
  const std::int32_t* order;
  float* dtable;  // [vocabulary, columns]
  int columns;

  TEMPER_DEVICE void operator()(device::Block<EmbeddingScatter>& block) const {
    const int number = block.index().x, begin = first[number], end = first[number + 1];
    float* to = dtable + Index{ids[number]} * columns;
    const bool whole = columns % width == 0 && device::aligned(dy, width * int{sizeof(T)});
    const int pieces = whole ? columns / width : 0;
    for (int i = block.thread(); i < pieces; i += threads) {
      float sum[std::size_t{width}] = {};
      for (int t = begin; t < end; ++t) {
        const auto piece = device::load<width>(dy + Index{order[t]} * columns + i * width);
        TEMPER_UNROLL
        for (int e = 0; e < width; ++e) sum[e] += device::widen(piece[e]);
      }
      float* at = to + Index{i} * width;
      if (device::aligned(at, 16)) {
        auto four = device::load<width>(at);
        TEMPER_UNROLL
        for (int e = 0; e < width; ++e) four[e] += sum[e];
        device::store(at, four);
      } else {
        TEMPER_UNROLL
        for (int e = 0; e < width; ++e) at[e] += sum[e];
      }
    }
    for (int c = pieces * width + block.thread(); c < columns; c += threads) {
      float sum = 0;
      for (int t = begin; t < end; ++t) sum += device::widen(dy[Index{order[t]} * columns + c]);
      to[c] += sum;
    }
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
