// SPDX-License-Identifier: MIT
// The three products of a linear layer, x [T, I], w [O, I], y [T, O]:
//   matmul             y[t,o] (+)= scale * sum_i x[t,i] w[o,i]      y  = x w^T
//   matmul_transposed  y[t,i] (+)= scale * sum_o x[t,o] w[o,i]      dx = dy w
//   matmul_outer       y[i,j] (+)= scale * sum_t a[t,i] b[t,j]      dw = dy^T x
// Weights of any element are widened, and coded ones decoded, while they are packed. In float the bits of y are a law,
// see product.hpp.
#pragma once
#include <string_view>
#include <type_traits>

#include "temper/backend/cpu/coded.hpp"
#include "temper/backend/cpu/memory.hpp"
#include "temper/backend/cpu/product.hpp"
#include "temper/backend/cpu/product_double.hpp"
#include "temper/core/context.hpp"
#include "temper/storage/weight_matrix.hpp"

namespace temper {

template <class Real>
void run_product(Context<Cpu<Real>>& ctx, std::string_view name, const Product<Real>& product) {
  const double rows = static_cast<double>(product.rows), cols = static_cast<double>(product.cols),
               depth = static_cast<double>(product.depth), written = product.add ? 2 : 1;
  const Codes& codes = product.b.codes;
  const double weight =
      codes.coding == Coding::dense
          ? cols * depth * static_cast<double>(bytes_of(product.b.element))
          : static_cast<double>(coded_bytes(codes.coding, codes.scales.form, product.cols, product.depth).sum());
  const Cost cost{2 * rows * cols * depth, rows * depth * static_cast<double>(bytes_of(product.a.element)) + weight +
                                               written * rows * cols * static_cast<double>(sizeof(Real))};
  ctx.run(name, cost, [&] { multiply(ctx.stream(), product); });
}

// Arguments other than the context are not deduced from, so that a View converts to a View of const or to a
// WeightMatrix.
// [matmul]
template <class Real>
void matmul(Context<Cpu<Real>>& ctx, std::type_identity_t<Target<Cpu<Real>, Real, 2>> y,
            std::type_identity_t<View<Cpu<Real>, const Real, 2>> x, std::type_identity_t<WeightMatrix<Cpu<Real>>> w,
            std::type_identity_t<Real> scale = 1) {
  require(x.cols() == w.cols && y.view.rows() == x.rows() && y.view.cols() == w.rows, Fault::usage, "matmul.shape",
          "matmul: y is [{}, {}], x is [{}, {}] and w is [{}, {}]; expected y [T, O], x [T, I], w [O, I]",
          y.view.rows(), y.view.cols(), x.rows(), x.cols(), w.rows, w.cols);
  run_product<Real>(ctx, "matmul",
                    {.c = y.view.data,
                     .add = y.add,
                     .rows = x.rows(),
                     .cols = w.rows,
                     .depth = x.cols(),
                     .a = {x.data, element_of<Real>, x.cols(), Order::depth_inner},
                     .b = {w.data, w.element, w.cols, Order::depth_inner, w.codes, w.products},
                     .scale = scale});
}
// [/matmul]

template <class Real>
void matmul_transposed(Context<Cpu<Real>>& ctx, std::type_identity_t<Target<Cpu<Real>, Real, 2>> y,
                       std::type_identity_t<View<Cpu<Real>, const Real, 2>> x,
                       std::type_identity_t<WeightMatrix<Cpu<Real>>> w, std::type_identity_t<Real> scale = 1) {
  require(x.cols() == w.rows && y.view.rows() == x.rows() && y.view.cols() == w.cols, Fault::usage,
          "matmul_transposed.shape",
          "matmul_transposed: y is [{}, {}], x is [{}, {}] and w is [{}, {}]; expected y [T, I], x [T, O], w [O, I]",
          y.view.rows(), y.view.cols(), x.rows(), x.cols(), w.rows, w.cols);
  run_product<Real>(ctx, "matmul_transposed",
                    {.c = y.view.data,
                     .add = y.add,
                     .rows = x.rows(),
                     .cols = w.cols,
                     .depth = x.cols(),
                     .a = {x.data, element_of<Real>, x.cols(), Order::depth_inner},
                     .b = {w.data, w.element, w.cols, Order::depth_outer, w.codes, w.products},
                     .scale = scale});
}

template <class Real>
void matmul_outer(Context<Cpu<Real>>& ctx, std::type_identity_t<Target<Cpu<Real>, Real, 2>> y,
                  std::type_identity_t<View<Cpu<Real>, const Real, 2>> a,
                  std::type_identity_t<View<Cpu<Real>, const Real, 2>> b, std::type_identity_t<Real> scale = 1) {
  require(a.rows() == b.rows() && y.view.rows() == a.cols() && y.view.cols() == b.cols(), Fault::usage,
          "matmul_outer.shape",
          "matmul_outer: y is [{}, {}], a is [{}, {}] and b is [{}, {}]; expected y [I, J], a [T, I], b [T, J]",
          y.view.rows(), y.view.cols(), a.rows(), a.cols(), b.rows(), b.cols());
  run_product<Real>(ctx, "matmul_outer",
                    {.c = y.view.data,
                     .add = y.add,
                     .rows = a.cols(),
                     .cols = b.cols(),
                     .depth = a.rows(),
                     .a = {a.data, element_of<Real>, a.cols(), Order::depth_outer},
                     .b = {b.data, element_of<Real>, b.cols(), Order::depth_outer},
                     .scale = scale});
}

}  // namespace temper
