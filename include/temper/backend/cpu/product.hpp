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

// What fits where: panels of A and B stream through the first-level cache, a block of A stays in the second, the block
// of B in the workspace (third level). The panel of B that is used but once stays in the first.
struct Blocks {
  static constexpr Index tile_cols = 2 * lanes, depth = 1024, rows = 8 * tile_rows, cols = 16 * tile_cols;
  static constexpr Index b_floats = depth * cols, a_floats = (Index{1} << 18) + lanes, panel_floats = 8192;
  static_assert(depth * rows + lanes <= a_floats && 4 * lanes <= panel_floats);
  static_assert((b_floats + a_floats) * static_cast<Index>(sizeof(float)) <=
                static_cast<Index>(Threads::workspace_bytes));
};

// A rectangle of C.
struct Region {
  Index row, rows, col, cols;
};

// tile(c, c_stride) computes [rows, width] of C; where C has fewer columns, by way of a copy.
template <class Compute>
void over_edge(Index rows, Index width, float* c, Index c_stride, Index cols, Begin begin, Compute&& tile) {
  if (cols == width) return tile(c, c_stride);
  float edge[2 * tile_rows * lanes];
  const auto bytes = static_cast<std::size_t>(cols) * sizeof(float);
  if (begin == Begin::from_c) {
    std::fill(std::begin(edge), std::end(edge), 0.0f);
    for (Index r = 0; r < rows; ++r) std::memcpy(edge + r * width, c + r * c_stride, bytes);
  }
  tile(edge, width);
  for (Index r = 0; r < rows; ++r) std::memcpy(c + r * c_stride, edge + r * width, bytes);
}

// C [rows, cols] (+)= one panel of A times one panel of B.
inline void multiply_panels(Index depth, const float* a, Index a_stride, Source from, Index rows, const float* b,
                            Index width, float* c, Index c_stride, Index cols, Begin begin) {
  const Tile tile = tile_of(rows, width / lanes, from);
  over_edge(rows, width, c, c_stride, cols, begin,
            [&](float* to, Index stride) { tile(depth, a, a_stride, b, to, stride, begin); });
}

// Many rows: Goto's loops. A single panel of B does not repay a packed copy of A; then tiles read A where it lies.
inline void multiply_blocks(const Product<float>& p, Region region, float* workspace) {
  float* const b_block = workspace;
  float* const a_block = workspace + Blocks::b_floats;
  const RowPanels panels{region.rows};
  const bool direct = region.cols <= Blocks::tile_cols && p.scale == 1;
  const Source from = !direct ? Source::panel : p.a.order == Order::depth_inner ? Source::rows : Source::columns;
  for (Index k = 0; k == 0 || k < p.depth; k += Blocks::depth) {
    const Index depth = std::min(Blocks::depth, p.depth - k);
    const Begin begin = p.add || k > 0 ? Begin::from_c : Begin::zero;
    pack_b(p.b, {k, depth, region.col, region.cols}, b_block, Blocks::tile_cols);
    for (Index first = 0; first < panels.count(); first += Blocks::rows / tile_rows) {
      const Index last = std::min(first + Blocks::rows / tile_rows, panels.count()), base = panels.begin(first);
      if (!direct)
        pack_a(p.a, {k, depth, region.row + base, panels.begin(last) - base}, p.scale, a_block, panels, first, last);
      for (Index j = 0; j < region.cols; j += Blocks::tile_cols)
        for (Index panel = first; panel < last; ++panel) {
          const Index row = region.row + panels.begin(panel);
          const float* const a = !direct ? a_block + (panels.begin(panel) - base) * depth
                                         : static_cast<const float*>(p.a.data) +
                                               (from == Source::rows ? row * p.a.stride + k : k * p.a.stride + row);
          multiply_panels(depth, a, p.a.stride, from, panels.height(panel), b_block + j * depth,
                          panel_width(region.cols, j, Blocks::tile_cols), p.c + row * p.cols + region.col + j, p.cols,
                          std::min(Blocks::tile_cols, region.cols - j), begin);
        }
    }
  }
}

// Few rows, all in one panel: B is read once, front to back, and goes through a copy that never leaves the first cache.
inline void multiply_stream(const Product<float>& p, Region region, float* workspace) {
  float* const b_panel = workspace;
  float* const a_panel = workspace + Blocks::b_floats;
  const Index width = vectors_of(region.rows) * lanes;
  pack_a_panel(p.a, {0, p.depth, region.row, region.rows}, p.scale, a_panel);
  if (p.b.products && p.b.products->multiply_few(p, region, a_panel)) return;
  for (Index j = 0; j < region.cols; j += width) {
    const Index wide = panel_width(region.cols, j, width), cols = std::min(width, region.cols - j);
    const Index step = Blocks::panel_floats / width;
    for (Index k = 0; k == 0 || k < p.depth; k += step) {
      const Index depth = std::min(step, p.depth - k);
      pack_b_panel(p.b, {k, depth, region.col + j, cols}, b_panel, wide);
      multiply_panels(depth, a_panel + k * region.rows, 0, Source::panel, region.rows, b_panel, wide,
                      p.c + region.row * p.cols + region.col + j, p.cols, cols,
                      p.add || k > 0 ? Begin::from_c : Begin::zero);
    }
  }
}

inline bool streams(const Product<float>& p) {
  return p.rows <= tile_rows && p.rows * p.depth + lanes <= Blocks::a_floats;
}

// Part 'which' of 'parts' nearly equal parts of 'count' grains: where it begins.
constexpr Index part_begin(Index count, Index parts, Index which) { return count * which / parts; }

// How C is cut into pieces, rows_in x cols_in of them: enough for the threads to share evenly, with as little packed
// twice as can be (A is packed for every column of pieces, B for every row of pieces).
struct Cut {
  Index down = 1, across = 1;
};

// Columns of a piece come in these; no tile of few rows is wider.
inline Index grain_of(const Product<float>& p) { return streams(p) ? vectors_of(1) * lanes : Blocks::tile_cols; }

inline Cut cut_of(const Product<float>& p, int threads) {
  const Index panels = ceil_div(p.cols, grain_of(p)), tiles = ceil_div(p.rows, tile_rows);
  const Index least = streams(p) ? 1 : ceil_div(p.cols, Blocks::cols);  // a stream has no block of B
  const Index wanted = threads == 1 ? 1 : std::min(Index{4} * threads, panels * tiles);
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
  const Index grain = grain_of(p), panels = ceil_div(p.cols, grain);
  threads.parallel(cut.down * cut.across, [&](Index piece, int worker) {
    const Index i = piece / cut.across, j = piece % cut.across;
    const Index row = part_begin(p.rows, cut.down, i), row_end = part_begin(p.rows, cut.down, i + 1);
    const Index col = part_begin(panels, cut.across, j) * grain,
                col_end = std::min(p.cols, part_begin(panels, cut.across, j + 1) * grain);
    if (row == row_end || col >= col_end) return;
    const Region region{row, row_end - row, col, col_end - col};
    float* const workspace = reinterpret_cast<float*>(threads.workspace(worker));
    streams(p) ? multiply_stream(p, region, workspace) : multiply_blocks(p, region, workspace);
  });
}

}  // namespace temper
