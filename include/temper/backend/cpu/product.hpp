// SPDX-License-Identifier: MIT
// C[m,n] (+)= sum_k (scale A(k,m)) B(k,n), for operands in either order.
//
// The law of bits, for float: every element is one chain of fused multiply-adds over k in ascending order, begun at 0
// or at C. Nothing else decides its bits: not threads, blocks, the other rows and columns, or how C came to be.
//
// The computation is Goto's: a block of B (depth x cols) is packed, then block by block of A; tiles of both are
// multiplied in registers. A piece of C is computed by one worker, with its own copies of A and B.
#pragma once
#include <algorithm>
#include <cmath>

#include "temper/backend/cpu/pack.hpp"
#include "temper/backend/cpu/threads.hpp"
#include "temper/backend/cpu/tile.hpp"

namespace temper {

template <class Real>
struct Product {
  Real* c = nullptr;  // [rows, cols], row-major
  bool add = false;
  Index rows = 0, cols = 0, depth = 0;
  Operand a, b;
  Real scale = 1;
};

// What fits where: a panel of A and one of B pass through the first-level cache, a block of A stays in the second, the
// block of B in the workspace (third level).
struct Blocks {
  static constexpr Index tile_cols = 2 * lanes, depth = 512, rows = 16 * tile_rows, cols = 1024;
  static constexpr Index b_floats = depth * cols, a_floats = depth * rows + lanes;
  static_assert((b_floats + a_floats) * static_cast<Index>(sizeof(float)) <=
                static_cast<Index>(Threads::workspace_bytes));
};

constexpr Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

// Part 'which' of 'parts' nearly equal parts of 'count' grains: where it begins.
constexpr Index part_begin(Index count, Index parts, Index which) { return count * which / parts; }

// A rectangle of C.
struct Region {
  Index row, rows, col, cols;
};

// One packed panel of A against all packed panels of B.
inline void multiply_region(const Product<float>& p, Region region, float* workspace) {
  float* const b_block = workspace;
  float* const a_block = workspace + Blocks::b_floats;
  const Index panels = ceil_div(region.rows, tile_rows);
  const Index panels_in_block = Blocks::rows / tile_rows;
  const auto panel_row = [&](Index panel) { return part_begin(region.rows, panels, panel); };

  for (Index k = 0; k == 0 || k < p.depth; k += Blocks::depth) {
    const Index depth = std::min(Blocks::depth, p.depth - k);
    const Begin begin = p.add || k > 0 ? Begin::from_c : Begin::zero;
    for (Index j = 0; j < region.cols; j += Blocks::tile_cols) {
      const Index count = std::min(Blocks::tile_cols, region.cols - j);
      float* const panel = b_block + j * depth;
      if (count > lanes)
        pack_b<2>(p.b, {k, depth, region.col + j, count}, panel);
      else
        pack_b<1>(p.b, {k, depth, region.col + j, count}, panel);
    }
    for (Index first = 0; first < panels; first += panels_in_block) {
      const Index last = std::min(first + panels_in_block, panels), base = panel_row(first);
      for (Index i = first; i < last; ++i) {
        const Index row = panel_row(i), rows = panel_row(i + 1) - row;
        pack_a(p.a, {k, depth, region.row + row, rows}, p.scale, a_block + (row - base) * depth);
      }
      for (Index j = 0; j < region.cols; j += Blocks::tile_cols) {
        const Index count = std::min(Blocks::tile_cols, region.cols - j);
        for (Index i = first; i < last; ++i) {
          const Index row = panel_row(i), rows = panel_row(i + 1) - row;
          const float *a = a_block + (row - base) * depth, *b = b_block + j * depth;
          float* const c = p.c + (region.row + row) * p.cols + region.col + j;
          const Tile tile = count > lanes ? tile_of<2>(rows) : tile_of<1>(rows);
          if (count % lanes == 0) {
            tile(depth, a, b, c, p.cols, begin);
            continue;
          }
          float edge[tile_rows * Blocks::tile_cols];
          const auto bytes = static_cast<std::size_t>(count) * sizeof(float);
          if (begin == Begin::from_c)
            for (Index r = 0; r < rows; ++r) std::memcpy(edge + r * Blocks::tile_cols, c + r * p.cols, bytes);
          tile(depth, a, b, edge, Blocks::tile_cols, begin);
          for (Index r = 0; r < rows; ++r) std::memcpy(c + r * p.cols, edge + r * Blocks::tile_cols, bytes);
        }
      }
    }
  }
}

// How C is cut into pieces, rows_in x cols_in of them: enough for the threads to share evenly, with as little packed
// twice as can be (A is packed for every column of pieces, B for every row of pieces).
struct Cut {
  Index down = 1, across = 1;
};

inline Cut cut_of(const Product<float>& p, int threads) {
  const Index panels = ceil_div(p.cols, Blocks::tile_cols), tiles = ceil_div(p.rows, tile_rows);
  const Index least = ceil_div(p.cols, Blocks::cols);
  const Index wanted = threads == 1 ? 1 : std::min<Index>(4 * threads, panels * tiles);
  Cut best{1, std::max(least, std::min(wanted, panels))};
  double best_cost = -1;
  for (Index across = std::min(least, panels); across <= std::min(panels, std::max(wanted, least)); ++across) {
    const Index down = std::min(ceil_div(wanted, across), tiles);
    if (down * across < wanted) continue;
    const double cost = static_cast<double>(p.rows * across + p.cols * down);
    if (best_cost < 0 || cost < best_cost) best = {down, across}, best_cost = cost;
  }
  return best;
}

inline void multiply(Threads& threads, const Product<float>& p) {
  if (p.rows == 0 || p.cols == 0) return;
  const Cut cut = cut_of(p, threads.count());
  const Index panels = ceil_div(p.cols, Blocks::tile_cols);
  threads.parallel(cut.down * cut.across, [&](Index piece, int worker) {
    const Index i = piece / cut.across, j = piece % cut.across;
    const Index row = part_begin(p.rows, cut.down, i), row_end = part_begin(p.rows, cut.down, i + 1);
    const Index col = part_begin(panels, cut.across, j) * Blocks::tile_cols,
                col_end = std::min(p.cols, part_begin(panels, cut.across, j + 1) * Blocks::tile_cols);
    if (row == row_end || col >= col_end) return;
    multiply_region(p, {row, row_end - row, col, col_end - col}, reinterpret_cast<float*>(threads.workspace(worker)));
  });
}

}  // namespace temper
