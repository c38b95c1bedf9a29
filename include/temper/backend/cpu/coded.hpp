// SPDX-License-Identifier: MIT
// What products ask of weights in codes: panels of their values, and for very few rows the product itself. Reached by
// pointer (WeightMatrix brings it), so that a program without coded weights compiles none of it.
#pragma once
#include "temper/backend/cpu/coded_tile.hpp"
#include "temper/backend/cpu/memory.hpp"
#include "temper/backend/cpu/product.hpp"

namespace temper {

inline void pack_coded_panel(const Operand& b, const Part& part, float* panel, Index width) {
  const CodedRows w = b.coded();
  if (b.order == Order::depth_outer) {
    for (Index k = 0; k < part.depth; ++k) {
      decode_stretch(w, (part.begin + k) * b.stride + part.first, part.count, panel + k * width);
      std::fill(panel + k * width + part.count, panel + (k + 1) * width, 0.0f);
    }
    return;
  }
  const bool blocks = b.stride % weight_block == 0 && part.begin % weight_block == 0 && part.depth % weight_block == 0;
  for (Index j = 0; j < width; j += lanes) {
    const Index skipped = std::min(j, part.count - 1), first = part.first + skipped, count = part.count - skipped;
    if (b.codes.coding == Coding::int8) {
      decode_byte_columns(w, first, count, part.begin, part.depth, panel + j, width);
    } else if (blocks) {
      decode_columns(w, first, count, part.begin, part.depth, panel + j, width);
    } else {
      float rows[lanes][weight_block];
      for (Index k = 0; k < part.depth; k += weight_block) {
        const Index depth = std::min(weight_block, part.depth - k);
        for (Index i = 0; i < lanes; ++i)
          decode_stretch(w, (first + std::min(i, count - 1)) * b.stride + part.begin + k, depth, rows[i]);
        pack_columns(&rows[0][0], weight_block, lanes, depth, 1.0f, panel + k * width + j, width);
      }
    }
  }
}

// Very few rows and weights in codes, which are decoded in registers.
inline bool decodes_in_registers(const Product<float>& p) {
  const Coding coding = p.b.codes.coding;
  return coding != Coding::dense && p.rows <= coded_rows && p.b.order == Order::depth_inner && p.depth == p.b.stride &&
         p.depth > 0 && (coding == Coding::int8 || p.depth % weight_block == 0);
}

inline bool multiply_few_coded(const Product<float>& p, Region region, const float* a_panel) {
  if (!decodes_in_registers(p)) return false;
  multiply_codes({.w = p.b.coded(),
                  .first = region.col,
                  .cols = region.cols,
                  .a = a_panel,
                  .c = p.c + region.row * p.cols + region.col,
                  .c_stride = p.cols,
                  .begin = p.add ? Begin::from_c : Begin::zero},
                 region.rows);
  return true;
}

inline constexpr CpuCodedProducts cpu_coded_products{&pack_coded_panel, &multiply_few_coded, &decode_stretch};

template <class Real>
const CpuCodedProducts* Cpu<Real>::coded_products() {
  return &cpu_coded_products;
}

}  // namespace temper
