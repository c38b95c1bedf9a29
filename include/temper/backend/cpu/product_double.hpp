// SPDX-License-Identifier: MIT
// The same products in double, by Eigen: the independent oracle of the float kernels, and fast enough for gradient
// checks. Pieces of C depend on the shape alone, hence the bits do not depend on the number of threads; the chain of an
// element is Eigen's own, so that the other laws of product.hpp need not hold here.
#pragma once
#include <Eigen/Core>
#include <concepts>

#include "temper/backend/cpu/product.hpp"

namespace temper {

// Elements of an operand in double, where they lie or widened into 'workspace': [rows, cols] as stored, dense.
template <class T>
void widen(const T* from, Index stride, Index rows, Index cols, double* to) {
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < cols; ++j) {
      if constexpr (std::is_same_v<T, double>)
        to[i * cols + j] = from[i * stride + j];
      else
        to[i * cols + j] = static_cast<double>(to_float(from[i * stride + j]));
    }
}

inline void widen(const Operand& operand, Index row, Index rows, Index col, Index cols, double* to) {
  const Index at = row * operand.stride + col;
  if (operand.codes.coding != Coding::dense) {
    const CodedRows w = operand.coded();
    std::array<float, 256> stretch{};
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < cols; j += std::ssize(stretch)) {
        const Index count = std::min(std::ssize(stretch), cols - j);
        operand.products->decode(w, at + i * operand.stride + j, count, stretch.data());
        std::copy_n(stretch.begin(), count, to + i * cols + j);
      }
    return;
  }
  switch (operand.element) {
    case Element::f32:
      return widen(static_cast<const float*>(operand.data) + at, operand.stride, rows, cols, to);
    case Element::bf16:
      return widen(static_cast<const bf16*>(operand.data) + at, operand.stride, rows, cols, to);
    case Element::f16:
      return widen(static_cast<const f16*>(operand.data) + at, operand.stride, rows, cols, to);
    case Element::f64:
      return widen(static_cast<const double*>(operand.data) + at, operand.stride, rows, cols, to);
  }
}

template <std::same_as<double> Real>  // a template, so that who computes in float does not compile it
void multiply(Threads& threads, const Product<Real>& p) {
  using Matrix = Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Strided = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;
  constexpr Index block_rows = 128, block_cols = 256, block_depth = 1024;
  static_assert(static_cast<std::size_t>(block_cols * block_depth) * sizeof(double) <= Threads::workspace_bytes);
  if (p.rows == 0 || p.cols == 0) return;

  const Index down = ceil_div(p.rows, block_rows), across = ceil_div(p.cols, block_cols);
  threads.parallel(down * across, [&](Index piece, int worker) {
    const Index row = piece / across * block_rows, rows = std::min(block_rows, p.rows - row);
    const Index col = piece % across * block_cols, cols = std::min(block_cols, p.cols - col);
    Eigen::Map<Matrix, 0, Eigen::OuterStride<>> c(p.c + row * p.cols + col, rows, cols, Eigen::OuterStride<>(p.cols));
    if (!p.add) c.setZero();
    double* const widened = reinterpret_cast<double*>(threads.workspace(worker));
    for (Index k = 0; k < p.depth; k += block_depth) {
      const Index depth = std::min(block_depth, p.depth - k);
      const bool b_inner = p.b.order == Order::depth_inner, a_inner = p.a.order == Order::depth_inner;
      if (b_inner)
        widen(p.b, col, cols, k, depth, widened);
      else
        widen(p.b, k, depth, col, cols, widened);
      const Eigen::Map<const Matrix> b(widened, b_inner ? cols : depth, b_inner ? depth : cols);
      const auto* const a_data = static_cast<const double*>(p.a.data);
      const Strided a(a_data + (a_inner ? row * p.a.stride + k : k * p.a.stride + row), a_inner ? rows : depth,
                      a_inner ? depth : rows, Eigen::OuterStride<>(p.a.stride));
      if (a_inner && b_inner)
        c.noalias() += p.scale * (a * b.transpose());
      else if (a_inner)
        c.noalias() += p.scale * (a * b);
      else
        c.noalias() += p.scale * (a.transpose() * b);
    }
  });
}

}  // namespace temper
