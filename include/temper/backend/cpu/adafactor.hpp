// SPDX-License-Identifier: MIT
// The arithmetic of Adafactor (Shazeer and Stern 2018), in the order of transformers' Adafactor. Of a matrix's squared
// gradients only the running means of rows and of columns are kept; v_ij ~ row_i column_j / mean(row).
#pragma once
#include <cmath>

#include "temper/backend/cpu/math.hpp"
#include "temper/backend/cpu/operands.hpp"
#include "temper/backend/operations.hpp"

namespace temper {

// old + fresh (new - old), as transformers rounds it.
template <class Real>
Real running_mean(Real old, Real fresh, Real now) {
  return multiply_add(fresh, now, old * (1 - fresh));
}

// The rate of an update whose squares sum to this over 'count' elements: shortened where their root mean is too large.
inline double shortened_rate(double squares, Index count, AdafactorStep step) {
  const double root_mean = std::sqrt(squares / static_cast<double>(count));
  return step.learning_rate / std::max(1.0, root_mean / step.largest);
}

// row = mix of row and mean_j (g^2 + eps), column likewise;  u = g / sqrt(row_i column_j / mean(row));
// p = (1 - lr wd) p - lr u / max(1, rms(u) / largest)
template <class Real>
void adafactor(Context<Cpu<Real>>& ctx, OutMatrix<Real> value, InMatrix<Real> gradient, OutVector<Real> row_mean,
               OutVector<Real> column_mean, AdafactorStep step, double gradient_scale) {
  const Index rows = value.rows(), cols = value.cols();
  require(gradient.shape == value.shape && row_mean.size() == rows && column_mean.size() == cols, Fault::usage,
          "adafactor.shape",
          "adafactor: value is [{}, {}], gradient [{}, {}], and there are {} means of rows and {} of columns; expected "
          "equal shapes, a mean a row and a mean a column",
          rows, cols, gradient.rows(), gradient.cols(), row_mean.size(), column_mean.size());
  const auto scope = ctx.scope();
  const auto column_factor = scratch<Real>(ctx, cols);
  const auto row_factor = scratch<Real>(ctx, rows);
  const auto squares = scratch<double>(ctx, rows);
  ctx.run("adafactor", {12 * static_cast<double>(value.size()), 5 * bytes_of_all(gradient)}, [&] {
    if (value.empty()) return;
    const Real scale = static_cast<Real>(gradient_scale), epsilon = static_cast<Real>(step.epsilon);
    const Real fresh = static_cast<Real>(step.fresh);
    const auto square = [=](const Real* g) { return multiply_add(*g * scale, *g * scale, epsilon); };
    over_rows(ctx, rows, cols, [&](Index t) {
      const Real* g = gradient.data + t * cols;
      const Real sum = sum_over<Real>(cols, [&](Index j) { return square(g + j); });
      row_mean(t) = running_mean(row_mean(t), fresh, sum / static_cast<Real>(cols));
    });
    sum_columns(ctx.stream(), column_factor.data, false, rows, cols,
                [&](Index t, Index j, Real sum) { return sum + square(gradient.data + t * cols + j); });
    for (Index j = 0; j < cols; ++j) {
      column_mean(j) = running_mean(column_mean(j), fresh, column_factor(j) / static_cast<Real>(rows));
      column_factor(j) = 1 / std::sqrt(column_mean(j));
    }
    const Real mean = sum_over<Real>(rows, [&](Index t) { return row_mean(t); }) / static_cast<Real>(rows);
    over_rows(ctx, rows, cols, [&](Index t) {
      const Real* g = gradient.data + t * cols;
      row_factor(t) = scale / std::sqrt(row_mean(t) / mean);
      squares(t) = sum_over<double>(cols, [&](Index j) {
        const Real u = row_factor(t) * column_factor(j) * g[j];
        return static_cast<double>(u) * static_cast<double>(u);
      });
    });
    const double sum = sum_over<double>(rows, [&](Index t) { return squares(t); });
    const Real rate = static_cast<Real>(shortened_rate(sum, value.size(), step));
    const Real kept = static_cast<Real>(1 - step.learning_rate * step.weight_decay);
    over_rows(ctx, rows, cols, [&](Index t) {
      Real* p = value.data + t * cols;
      const Real* g = gradient.data + t * cols;
      for (Index j = 0; j < cols; ++j) p[j] = multiply_add(-rate, row_factor(t) * column_factor(j) * g[j], p[j] * kept);
    });
  });
}

// The same for a vector: its squares are kept whole.
template <class Real>
void adafactor(Context<Cpu<Real>>& ctx, OutVector<Real> value, InVector<Real> gradient, OutVector<Real> square_mean,
               AdafactorStep step, double gradient_scale) {
  require(gradient.shape == value.shape && square_mean.shape == value.shape, Fault::usage, "adafactor.shape",
          "adafactor: value has {} elements, gradient {} and the mean of squares {}; expected equal", value.size(),
          gradient.size(), square_mean.size());
  ctx.run("adafactor", {10 * static_cast<double>(value.size()), 5 * bytes_of_all(gradient)}, [&] {
    if (value.empty()) return;
    const Real scale = static_cast<Real>(gradient_scale), epsilon = static_cast<Real>(step.epsilon);
    const Real fresh = static_cast<Real>(step.fresh);
    over_elements(ctx, value.size(), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const Real g = gradient(i) * scale;
        square_mean(i) = running_mean(square_mean(i), fresh, multiply_add(g, g, epsilon));
      }
    });
    const auto move = [&](Index i) { return gradient(i) * scale / std::sqrt(square_mean(i)); };
    const double squares = sum_over<double>(value.size(), [&](Index i) {
      const double u = static_cast<double>(move(i));
      return u * u;
    });
    const Real rate = static_cast<Real>(shortened_rate(squares, value.size(), step));
    const Real kept = static_cast<Real>(1 - step.learning_rate * step.weight_decay);
    over_elements(ctx, value.size(), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) value(i) = multiply_add(-rate, move(i), value(i) * kept);
    });
  });
}

}  // namespace temper
