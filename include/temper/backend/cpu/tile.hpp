// SPDX-License-Identifier: MIT
// The inner loop of every product in float: a tile of C in registers.
//   C[r, j] = begin[r, j] + sum_k a[k, r] b[k, j],   r < Rows, j < Vectors * lanes, begin = 0 or C
// One fused multiply-add for each element and k, k ascending; so the chain of an element may be cut anywhere in k and
// go on from C, and does not know which tile, block or thread it is computed in.
#pragma once
#include <array>

#include "temper/backend/cpu/vector.hpp"

namespace temper {

enum class Begin { zero, from_c };

template <Index Rows, Index Vectors>
void multiply_tile(Index depth, const float* a, const float* b, float* c, Index stride, Begin begin) {
  Floats sum[std::size_t{Rows}][std::size_t{Vectors}];
#pragma GCC unroll 16
  for (Index r = 0; r < Rows; ++r)
#pragma GCC unroll 16
    for (Index v = 0; v < Vectors; ++v) sum[r][v] = begin == Begin::zero ? Floats{} : load(c + r * stride + v * lanes);

  for (Index k = 0; k < depth; ++k, a += Rows, b += Vectors * lanes) {
    Floats column[std::size_t{Vectors}];
#pragma GCC unroll 16
    for (Index v = 0; v < Vectors; ++v) column[v] = load(b + v * lanes);
#pragma GCC unroll 16
    for (Index r = 0; r < Rows; ++r) {
      const Floats row = broadcast(a[r]);
#pragma GCC unroll 16
      for (Index v = 0; v < Vectors; ++v) sum[r][v] = fma(row, column[v], sum[r][v]);
    }
  }

#pragma GCC unroll 16
  for (Index r = 0; r < Rows; ++r)
#pragma GCC unroll 16
    for (Index v = 0; v < Vectors; ++v) store(c + r * stride + v * lanes, sum[r][v]);
}

using Tile = void (*)(Index depth, const float* a, const float* b, float* c, Index stride, Begin begin);

template <Index Vectors>
Tile tile_of(Index rows) {
  static constexpr auto by_rows = []<std::size_t... R>(std::index_sequence<R...>) {
    return std::array<Tile, sizeof...(R)>{&multiply_tile<static_cast<Index>(R + 1), Vectors>...};
  }
  (std::make_index_sequence<std::size_t{tile_rows}>{});
  return by_rows[static_cast<std::size_t>(rows - 1)];
}

}  // namespace temper
