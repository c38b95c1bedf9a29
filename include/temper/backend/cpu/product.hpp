// SPDX-License-Identifier: MIT
// C[m,n] (+)= sum_k (scale A(k,m)) B(k,n), for operands in either order.
// The law of bits: every element is one chain of fused multiply-adds over k in ascending order, begun at 0 or at C.
#pragma once
#include <cmath>

#include "temper/backend/cpu/threads.hpp"
#include "temper/core/types.hpp"

namespace temper {

// Which index of an operand is contiguous in memory: k (a row for every m or n) or m, n (a row for every k).
enum class Order { depth_inner, depth_outer };

struct Operand {
  const void* data = nullptr;
  Element element = Element::f32;
  Index stride = 0;  // elements from row to row
  Order order = Order::depth_inner;
};

template <class Real>
struct Product {
  Real* c = nullptr;  // [rows, cols], row-major
  bool add = false;
  Index rows = 0, cols = 0, depth = 0;
  Operand a, b;
  Real scale = 1;
};

template <class Real>
Real element_at(const Operand& operand, Index k, Index i) {
  const Index at = operand.order == Order::depth_inner ? i * operand.stride + k : k * operand.stride + i;
  switch (operand.element) {
    case Element::f32:
      return static_cast<Real>(static_cast<const float*>(operand.data)[at]);
    case Element::bf16:
      return static_cast<Real>(to_float(static_cast<const bf16*>(operand.data)[at]));
    case Element::f16:
      return static_cast<Real>(to_float(static_cast<const f16*>(operand.data)[at]));
    default:
      return static_cast<Real>(static_cast<const double*>(operand.data)[at]);
  }
}

template <class Real>
void multiply(Threads& threads, const Product<Real>& p) {
  threads.parallel(p.rows, [&](Index m) {
    for (Index n = 0; n < p.cols; ++n) {
      Real sum = p.add ? p.c[m * p.cols + n] : Real{0};
      for (Index k = 0; k < p.depth; ++k)
        sum = std::fma(p.scale * element_at<Real>(p.a, k, m), element_at<Real>(p.b, k, n), sum);
      p.c[m * p.cols + n] = sum;
    }
  });
}

}  // namespace temper
