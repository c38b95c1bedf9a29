// SPDX-License-Identifier: MIT
// Operands of a product, and their copies in the order in which the tiles of product.hpp read them: panels.
//   B: panels of 'width' columns, [depth][width]; weights are widened on the way, the last panel is padded.
//   A: panels of 'height' rows,   [depth][height]; multiplied by the product's scale on the way.
#pragma once
#include <algorithm>
#include <array>

#include "temper/backend/cpu/vector.hpp"
#include "temper/storage/weight_matrix.hpp"

namespace temper {

// Which index of an operand is contiguous in memory: k (a row for every m or n), or m, n (a row for every k).
enum class Order { depth_inner, depth_outer };

struct CpuCodedProducts;

struct Operand {
  const void* data = nullptr;
  Element element = Element::f32;
  Index stride = 0;  // elements from row to row
  Order order = Order::depth_inner;
  Codes codes = {};  // of B, where it is coded, and then
  const CpuCodedProducts* products = nullptr;

  CodedRows coded() const { return {static_cast<const std::uint8_t*>(data), codes, stride}; }
};

// What part of an operand: k in [begin, begin + depth), 'count' rows of A or columns of B from 'first'.
struct Part {
  Index begin, depth, first, count;
};

template <class Real>
struct Product;
struct Region;

// What a product does with codes, see coded.hpp.
struct CpuCodedProducts {
  // As pack_b_panel.
  void (*pack_panel)(const Operand& b, const Part& part, float* panel, Index width);
  // C of the region, of few rows, from a panel of A; false: this shape is not for it, nothing was computed.
  bool (*multiply_few)(const Product<float>& p, Region region, const float* a_panel);
  // to[i] = element begin + i
  void (*decode)(const CodedRows& w, Index begin, Index count, float* to);
};

// 'lanes' rows of depth-inner data, of which only 'count' exist, into columns [0, lanes) of a panel. Rows that do not
// exist repeat the last: what is computed from them is never stored.
template <class T>
void pack_columns(const T* rows, Index stride, Index count, Index depth, float scale, float* panel, Index width) {
  const Index ahead = 2 * lanes * stride;  // rows that are wanted soon: too many streams for the hardware to foresee
  const T* row[lanes];
  for (Index i = 0; i < lanes; ++i) row[i] = rows + std::min(i, count - 1) * stride;
  Index k = 0;
  if constexpr (sizeof(T) == 2) {  // two neighbours in k travel as one word: half the exchanges
    for (; k + 2 * lanes <= depth; k += 2 * lanes) {
      Floats block[lanes];
#pragma GCC unroll 16
      for (Index i = 0; i < lanes; ++i) {
        std::memcpy(&block[i], row[i] + k, sizeof(block[i]));
        prefetch(row[i] + k, ahead);
      }
      transpose(block);
#pragma GCC unroll 16
      for (Index i = 0; i < lanes; ++i) {
        const Words pair = std::bit_cast<Words>(block[i]);
        store(panel + (k + 2 * i) * width, widened<T>(pair & 0xffffu) * scale);
        store(panel + (k + 2 * i + 1) * width, widened<T>(pair >> 16) * scale);
      }
    }
  }
  for (; k + lanes <= depth; k += lanes) {
    Floats block[lanes];
#pragma GCC unroll 16
    for (Index i = 0; i < lanes; ++i) {
      block[i] = load(row[i] + k);
      prefetch(row[i] + k, ahead);
    }
    transpose(block);
#pragma GCC unroll 16
    for (Index i = 0; i < lanes; ++i) store(panel + (k + i) * width, block[i] * scale);
  }
  if (k == depth) return;
  Floats block[lanes];
  for (Index i = 0; i < lanes; ++i) block[i] = load_some(row[i] + k, depth - k);
  transpose(block);
  for (Index i = 0; i < depth - k; ++i) store(panel + (k + i) * width, block[i] * scale);
}

template <class T>
void pack_b_panel(const Operand& b, const Part& part, float* panel, Index width) {
  const T* const data = static_cast<const T*>(b.data);
  if (b.order == Order::depth_inner) {
    for (Index j = 0; j < width; j += lanes) {
      const Index skipped = std::min(j, part.count - 1);
      pack_columns(data + (part.first + skipped) * b.stride + part.begin, b.stride, part.count - skipped, part.depth,
                   1.0f, panel + j, width);
    }
    return;
  }
  for (Index k = 0; k < part.depth; ++k) {
    const T* const row = data + (part.begin + k) * b.stride + part.first;
    Index j = 0;
    for (; j + lanes <= part.count; j += lanes) store(panel + k * width + j, load(row + j));
    for (; j < width; j += lanes) store(panel + k * width + j, load_some(row + j, std::max(part.count - j, Index{0})));
  }
}

inline void pack_b_panel(const Operand& b, const Part& part, float* panel, Index width) {
  if (b.codes.coding != Coding::dense) return b.products->pack_panel(b, part, panel, width);
  switch (b.element) {
    case Element::f32:
      return pack_b_panel<float>(b, part, panel, width);
    case Element::bf16:
      return pack_b_panel<bf16>(b, part, panel, width);
    case Element::f16:
      return pack_b_panel<f16>(b, part, panel, width);
    case Element::f64:
      return pack_b_panel<double>(b, part, panel, width);
  }
}

// How wide the panel at column 'at' of 'count' is: the last is as narrow as its columns allow.
constexpr Index panel_width(Index count, Index at, Index width) {
  while (width > lanes && count - at <= width / 2) width /= 2;
  return width;
}

// Depth-outer operands are packed some rows at a time, panel after panel: a row of few bytes would waste its page
// entry.
constexpr Index rows_at_a_time = 32;

// The panel at column j of the part begins at block + j * depth.
inline void pack_b(const Operand& b, const Part& part, float* block, Index width) {
  const Index step = b.order == Order::depth_inner ? part.depth : rows_at_a_time;
  for (Index k = 0; k < part.depth; k += step)
    for (Index j = 0; j < part.count; j += width) {
      const Index wide = panel_width(part.count, j, width);
      pack_b_panel(b, {part.begin + k, std::min(step, part.depth - k), part.first + j, std::min(width, part.count - j)},
                   block + j * part.depth + k * wide, wide);
    }
}

template <Index Height>
void pack_a_rows(const float* data, Index stride, Index depth, float scale, float* panel) {
  for (Index k = 0; k < depth; ++k)
#pragma GCC unroll 16
    for (Index i = 0; i < Height; ++i) panel[k * Height + i] = data[k * stride + i] * scale;
}

// One panel of part.count <= tile_rows rows; 'lanes' floats behind it are written too when A is depth-inner.
inline void pack_a_panel(const Operand& a, const Part& part, float scale, float* panel) {
  const float* const data = static_cast<const float*>(a.data);
  if (a.order == Order::depth_inner && part.count == 1) {
    const float* const row = data + part.first * a.stride + part.begin;
    for (Index k = 0; k < part.depth; ++k) panel[k] = row[k] * scale;
    return;
  }
  if (a.order == Order::depth_inner)
    return pack_columns(data + part.first * a.stride + part.begin, a.stride, part.count, part.depth, scale, panel,
                        part.count);
  static constexpr auto by_height = []<std::size_t... H>(std::index_sequence<H...>) {
    return std::array{&pack_a_rows<static_cast<Index>(H + 1)>...};
  }
  (std::make_index_sequence<std::size_t{tile_rows}>{});
  by_height[static_cast<std::size_t>(part.count - 1)](data + part.begin * a.stride + part.first, a.stride, part.depth,
                                                      scale, panel);
}

constexpr Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

// Rows in panels of nearly equal height, at most tile_rows: 16 rows are 8 + 8, for 14 + 2 would starve the tile of 2.
struct RowPanels {
  Index rows;
  Index count() const { return ceil_div(rows, tile_rows); }
  Index begin(Index panel) const { return rows * panel / count(); }
  Index height(Index panel) const { return begin(panel + 1) - begin(panel); }
};

// The panel at row i of the part begins at block + i * depth; part.first is the first row of panel 'first'.
inline void pack_a(const Operand& a, const Part& part, float scale, float* block, RowPanels panels, Index first,
                   Index last) {
  const Index step = a.order == Order::depth_inner ? part.depth : rows_at_a_time, base = panels.begin(first);
  for (Index k = 0; k < part.depth; k += step)
    for (Index panel = first; panel < last; ++panel) {
      const Index row = panels.begin(panel) - base, height = panels.height(panel);
      pack_a_panel(a, {part.begin + k, std::min(step, part.depth - k), part.first + row, height}, scale,
                   block + row * part.depth + k * height);
    }
}

}  // namespace temper
