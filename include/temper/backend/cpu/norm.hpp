// SPDX-License-Identifier: MIT
// Root-mean-square normalisation of rows (Zhang and Sennrich, 2019). x, y [T, D]; weight [D]; rstd [T].
//   y = x * rstd * weight        rstd = 1 / sqrt(mean(x^2) + eps)
// With n = x * rstd and g = dy * weight:
//   dx = rstd * (g - n * mean(g * n))        dweight = sum over tokens of dy * n
#pragma once
#include "temper/backend/cpu/math.hpp"
#include "temper/backend/cpu/operands.hpp"

namespace temper {

template <class Real>
void rms_norm(Context<Cpu<Real>>& ctx, OutMatrix<Real> y, OutVector<Real> rstd, InMatrix<Real> x, InVector<Real> weight,
              std::type_identity_t<Real> eps) {
  require(weight.size() == x.cols(), Fault::usage, "rms_norm.shape",
          "rms_norm: weight has {} elements but x has {} columns; expected equal", weight.size(), x.cols());
  require(y.shape == x.shape && rstd.size() == x.rows(), Fault::usage, "rms_norm.shape",
          "rms_norm: x is [{}, {}] but y is [{}, {}] and rstd has {} elements; expected one shape, and one rstd a row",
          x.rows(), x.cols(), y.rows(), y.cols(), rstd.size());
  const double size = static_cast<double>(x.size());
  ctx.run("rms_norm", {4 * size, bytes_of_all(x, y, weight, rstd)}, [&] {
    const Index width = x.cols();
    const Pieces pieces = Pieces::of_rows(x.rows(), width);
    ctx.stream().parallel(pieces.count(), [&](Index piece, int) {
      for (Index t = pieces.begin(piece); t < pieces.end(piece); ++t) {
        const Real* from = &x(t, 0);
        Real* to = &y(t, 0);
        const double squares = sum_over<double>(width, [&](Index j) {
          const double value = static_cast<double>(from[j]);
          return value * value;
        });
        const double mean = squares / static_cast<double>(width);
        const Real inverse = static_cast<Real>(1 / std::sqrt(mean + static_cast<double>(eps)));
        for (Index j = 0; j < width; ++j) to[j] = from[j] * inverse * weight.data[j];
        rstd(t) = inverse;
      }
    });
  });
}

template <class Real>
void rms_norm_backward(Context<Cpu<Real>>& ctx, TargetMatrix<Real> dx, InMatrix<Real> dy, InMatrix<Real> x,
                       InVector<Real> weight, InVector<Real> rstd) {
  require(weight.size() == x.cols() && rstd.size() == x.rows(), Fault::usage, "rms_norm_backward.shape",
          "rms_norm_backward: weight has {} elements and rstd {} but x is [{}, {}]; expected one weight a column, one "
          "rstd a row",
          weight.size(), rstd.size(), x.rows(), x.cols());
  require(dy.shape == x.shape && dx.view.shape == x.shape, Fault::usage, "rms_norm_backward.shape",
          "rms_norm_backward: x is [{}, {}] but dy is [{}, {}] and dx is [{}, {}]; expected one shape", x.rows(),
          x.cols(), dy.rows(), dy.cols(), dx.view.rows(), dx.view.cols());
  const double size = static_cast<double>(x.size());
  ctx.run("rms_norm_backward", {8 * size, bytes_of_all(x, dy, dx.view, weight, rstd)}, [&] {
    const Index width = x.cols();
    const Pieces pieces = Pieces::of_rows(x.rows(), width);
    ctx.stream().parallel(pieces.count(), [&](Index piece, int) {
      for (Index t = pieces.begin(piece); t < pieces.end(piece); ++t) {
        const Real *gradient = &dy(t, 0), *from = &x(t, 0), *w = weight.data;
        Real* to = &dx.view(t, 0);
        const double product = sum_over<double>(
            width, [&](Index j) { return static_cast<double>(gradient[j] * w[j]) * static_cast<double>(from[j]); });
        const Real inverse = rstd(t);
        const double cubed = static_cast<double>(inverse) * static_cast<double>(inverse) * static_cast<double>(inverse);
        const Real along = static_cast<Real>(-product * cubed / static_cast<double>(width));
        if (dx.add)
          for (Index j = 0; j < width; ++j) to[j] += multiply_add(gradient[j] * w[j], inverse, from[j] * along);
        else
          for (Index j = 0; j < width; ++j) to[j] = multiply_add(gradient[j] * w[j], inverse, from[j] * along);
      }
    });
  });
}

// Each column is one chain over the tokens in order, so that two halves of a batch, one after the other, give the bits
// of the whole.
template <class Real>
void rms_norm_weight_backward(Context<Cpu<Real>>& ctx, TargetVector<Real> dweight, InMatrix<Real> dy, InMatrix<Real> x,
                              InVector<Real> rstd) {
  require(
      dy.shape == x.shape && rstd.size() == x.rows() && dweight.view.size() == x.cols(), Fault::usage,
      "rms_norm_weight_backward.shape",
      "rms_norm_weight_backward: x is [{}, {}] but dy is [{}, {}], rstd has {} elements and dweight {}; expected one "
      "shape, one rstd a row, one weight a column",
      x.rows(), x.cols(), dy.rows(), dy.cols(), rstd.size(), dweight.view.size());
  const double size = static_cast<double>(x.size());
  ctx.run("rms_norm_weight_backward", {3 * size, bytes_of_all(x, dy, rstd, dweight.view)}, [&] {
    sum_columns(ctx.stream(), dweight.view.data, dweight.add, x.rows(), x.cols(),
                [&](Index t, Index j, Real sum) { return multiply_add(dy(t, j), x(t, j) * rstd(t), sum); });
  });
}

}  // namespace temper
