// SPDX-License-Identifier: MIT
// Operands of a product, and their copies in the order in which the tiles of product.hpp read them: panels.
//   B: panels of 'width' columns, [depth][width]; weights are widened on the way, the last panel is padded.
//   A: panels of 'height' rows,   [depth][height]; multiplied by the product's scale on the way.
#pragma once
#include <algorithm>
#include <array>

#include "temper/backend/cpu/vector.hpp"

namespace temper {

// Which index of an operand is contiguous in memory: k (a row for every m or n), or m, n (a row for every k).
enum class Order { depth_inner, depth_outer };

struct Operand {
  const void* data = nullptr;
  Element element = Element::f32;
  Index stride = 0;  // elements from row to row
  Order order = Order::depth_inner;
};

// What part of an operand: k in [begin, begin + depth), 'count' rows of A or columns of B from 'first'.
struct Part {
  Index begin, depth, first, count;
};

// 'lanes' rows of depth-inner data, of which only 'count' exist, into columns [0, lanes) of a panel. Rows that do not
// exist repeat the last: what is computed from them is never stored.
template <class T>
void pack_columns(const T* rows, Index stride, Index count, Index depth, float scale, float* panel, Index width) {
  const T* row[lanes];
  for (Index i = 0; i < lanes; ++i) row[i] = rows + std::min(i, count - 1) * stride;
  Index k = 0;
  for (; k + lanes <= depth; k += lanes) {
    Floats block[lanes];
#pragma GCC unroll 16
    for (Index i = 0; i < lanes; ++i) block[i] = load(row[i] + k);
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

template <Index Vectors, class T>
void pack_b_panel(const T* data, const Operand& b, Index depth, Index count, float* panel) {
  constexpr Index width = Vectors * lanes;
  if (b.order == Order::depth_inner) {
    for (Index j = 0; j < width; j += lanes) {
      const Index first = std::min(j, count - 1);
      pack_columns(data + first * b.stride, b.stride, count - first, depth, 1.0f, panel + j, width);
    }
  } else if (count == width) {
    for (Index k = 0; k < depth; ++k)
      for (Index j = 0; j < width; j += lanes) store(panel + k * width + j, load(data + k * b.stride + j));
  } else {
    for (Index k = 0; k < depth; ++k)
      for (Index j = 0; j < width; j += lanes)
        store(panel + k * width + j,
              load_some(data + k * b.stride + std::min(j, count), std::clamp(count - j, Index{0}, lanes)));
  }
}

template <Index Vectors, class T>
void pack_b_panel(const Operand& b, const Part& part, float* panel) {
  const Index offset =
      b.order == Order::depth_inner ? part.first * b.stride + part.begin : part.begin * b.stride + part.first;
  pack_b_panel<Vectors>(static_cast<const T*>(b.data) + offset, b, part.depth, part.count, panel);
}

// One panel of Vectors * lanes columns.
template <Index Vectors>
void pack_b(const Operand& b, const Part& part, float* panel) {
  switch (b.element) {
    case Element::f32:
      return pack_b_panel<Vectors, float>(b, part, panel);
    case Element::bf16:
      return pack_b_panel<Vectors, bf16>(b, part, panel);
    case Element::f16:
      return pack_b_panel<Vectors, f16>(b, part, panel);
    case Element::f64:
      return pack_b_panel<Vectors, double>(b, part, panel);
  }
}

template <Index Height>
void pack_a_rows(const float* data, Index stride, Index depth, float scale, float* panel) {
  for (Index k = 0; k < depth; ++k)
#pragma GCC unroll 16
    for (Index i = 0; i < Height; ++i) panel[k * Height + i] = data[k * stride + i] * scale;
}

// One panel of part.count <= tile_rows rows; 'lanes' floats behind it are written too when A is depth-inner.
inline void pack_a(const Operand& a, const Part& part, float scale, float* panel) {
  const float* const data = static_cast<const float*>(a.data);
  if (a.order == Order::depth_inner)
    return pack_columns(data + part.first * a.stride + part.begin, a.stride, part.count, part.depth, scale, panel,
                        part.count);
  const float* const from = data + part.begin * a.stride + part.first;
  static constexpr auto by_height = []<std::size_t... H>(std::index_sequence<H...>) {
    return std::array{&pack_a_rows<static_cast<Index>(H + 1)>...};
  }
  (std::make_index_sequence<std::size_t{tile_rows}>{});
  by_height[static_cast<std::size_t>(part.count - 1)](from, a.stride, part.depth, scale, panel);
}

}  // namespace temper
