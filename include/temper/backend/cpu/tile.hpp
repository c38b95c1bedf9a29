// SPDX-License-Identifier: MIT
// The inner loop of every product in float: a tile of C in registers.
//   C[r, j] = begin[r, j] + sum_k a[k, r] b[k, j],   r < Rows, j < Vectors * lanes, begin = 0 or C
// One fused multiply-add for each element and k, k ascending; so the chain of an element may be cut anywhere in k and
// go on from C, and does not know which tile, block or thread it is computed in.
#pragma once
#include <algorithm>
#include <array>

#include "temper/backend/cpu/vector.hpp"

namespace temper {

enum class Begin { zero, from_c };

// Where a tile finds a[k, r]: in a packed panel, or in A itself at a[k * step + r * stride].
enum class Source { panel, rows, columns };

template <Index Rows, Index Vectors, Source From>
void multiply_tile(Index depth, const float* a, Index a_stride, const float* b, float* c, Index c_stride, Begin begin) {
  Floats sum[std::size_t{Rows}][std::size_t{Vectors}];
#pragma GCC unroll 16
  for (Index r = 0; r < Rows; ++r)
#pragma GCC unroll 16
    for (Index v = 0; v < Vectors; ++v)
      sum[r][v] = begin == Begin::zero ? Floats{} : load(c + r * c_stride + v * lanes);

      // The tile below is next: its part of C is fetched while this one computes.
#pragma GCC unroll 16
  for (Index r = 0; r < Rows; ++r)
#pragma GCC unroll 16
    for (Index v = 0; v < Vectors; ++v) prefetch(c + r * c_stride + v * lanes, Rows * c_stride);

  const Index step = From == Source::panel ? Rows : From == Source::rows ? 1 : a_stride;
  const Index across = From == Source::rows ? a_stride : 1;
  // [chain]
  for (Index k = 0; k < depth; ++k, a += step, b += Vectors * lanes) {
    Floats column[std::size_t{Vectors}];
#pragma GCC unroll 16
    for (Index v = 0; v < Vectors; ++v) column[v] = load(b + v * lanes);
#pragma GCC unroll 16
    for (Index r = 0; r < Rows; ++r) {
      const Floats row = broadcast(a[r * across]);
#pragma GCC unroll 16
      for (Index v = 0; v < Vectors; ++v) sum[r][v] = fma(row, column[v], sum[r][v]);
    }
  }
  // [/chain]

#pragma GCC unroll 16
  for (Index r = 0; r < Rows; ++r)
#pragma GCC unroll 16
    for (Index v = 0; v < Vectors; ++v) store(c + r * c_stride + v * lanes, sum[r][v]);
}

using Tile = void (*)(Index depth, const float* a, Index a_stride, const float* b, float* c, Index c_stride,
                      Begin begin);

// Sums of a tile fill at most as many registers as those of the largest; few rows take many columns, for one chain of
// dependent additions in every register must hide the latency of the others.
constexpr Index vectors_of(Index rows) { return 4 * rows <= 2 * tile_rows ? 4 : 2; }

template <Index Vectors, Source From>
Tile tile_of(Index rows) {
  static constexpr auto by_rows = []<std::size_t... R>(std::index_sequence<R...>) {
    return std::array<Tile, sizeof...(R)>{&multiply_tile<static_cast<Index>(R + 1), Vectors, From>...};
  }
  (std::make_index_sequence<std::size_t{std::min(tile_rows, 2 * tile_rows / Vectors)}>{});
  return by_rows[static_cast<std::size_t>(rows - 1)];
}

inline Tile tile_of(Index rows, Index vectors, Source from) {
  if (from == Source::rows) return vectors == 1 ? tile_of<1, Source::rows>(rows) : tile_of<2, Source::rows>(rows);
  if (from == Source::columns)
    return vectors == 1 ? tile_of<1, Source::columns>(rows) : tile_of<2, Source::columns>(rows);
  switch (vectors) {
    case 1:
      return tile_of<1, Source::panel>(rows);
    case 2:
      return tile_of<2, Source::panel>(rows);
    default:
      return tile_of<4, Source::panel>(rows);
  }
}

}  // namespace temper
