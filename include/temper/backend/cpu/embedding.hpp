// SPDX-License-Identifier: MIT
// Rows taken from a table by number, and gradients put back. table [V, D] of any element type; y, dy [T, D].
#pragma once
#include "temper/backend/cpu/math.hpp"
#include "temper/backend/cpu/operands.hpp"

namespace temper {

// Every number must name a row; 'what' says what the numbers are.
template <class Numbers>
void require_rows(std::string_view operation, const Numbers& numbers, Index rows) {
  for (Index i = 0; i < numbers.size(); ++i)
    require(numbers(i) >= 0 && numbers(i) < rows, Fault::usage, "embedding.row",
            "{}: number {} at place {} names no row; expected 0 to {}; check that the tokenizer belongs to the model",
            operation, numbers(i), i, rows - 1);
}

template <class Stored, class Real>
void widen_row(const void* table, Index row, Real* to, Index width) {
  const Stored* from = static_cast<const Stored*>(table) + row * width;
  if constexpr (std::is_floating_point_v<Stored>)
    for (Index j = 0; j < width; ++j) to[j] = static_cast<Real>(from[j]);
  else
    for (Index j = 0; j < width; ++j) to[j] = static_cast<Real>(to_float(from[j]));
}

// y[t] = table[tokens[t]]
template <class Real>
void gather(Context<Cpu<Real>>& ctx, OutMatrix<Real> y, InTable<Real> table, InList<Real, TokenId> tokens) {
  require(y.cols() == table.cols && y.rows() == tokens.size(), Fault::usage, "gather.shape",
          "gather: y is [{}, {}] but there are {} tokens and the table has {} columns; expected a row a token",
          y.rows(), y.cols(), tokens.size(), table.cols);
  const double read = static_cast<double>(y.size()) * static_cast<double>(temper::bytes_of(table.element));
  ctx.run("gather", {0, read + bytes_of_all(y, tokens)}, [&] {
    require_rows("gather", tokens, table.rows);
    const Index width = table.cols;
    const Pieces pieces = Pieces::of_rows(y.rows(), width);
    ctx.stream().parallel(pieces.count(), [&](Index piece, int) {
      for (Index t = pieces.begin(piece); t < pieces.end(piece); ++t) {
        Real* to = y.data + t * width;
        switch (table.element) {
          case Element::f32:
            widen_row<float>(table.data, tokens(t), to, width);
            break;
          case Element::bf16:
            widen_row<bf16>(table.data, tokens(t), to, width);
            break;
          case Element::f16:
            widen_row<f16>(table.data, tokens(t), to, width);
            break;
          case Element::f64:
            widen_row<double>(table.data, tokens(t), to, width);
            break;
        }
      }
    });
  });
}

// dtable[tokens[t]] += dy[t]. Equal tokens are added in token order: each piece takes a stretch of columns and all
// tokens.
template <class Real>
void scatter_add(Context<Cpu<Real>>& ctx, OutMatrix<Real> dtable, InMatrix<Real> dy, InList<Real, TokenId> tokens) {
  require(dy.cols() == dtable.cols() && dy.rows() == tokens.size(), Fault::usage, "scatter_add.shape",
          "scatter_add: dy is [{}, {}] but there are {} tokens and dtable has {} columns; expected a row a token",
          dy.rows(), dy.cols(), tokens.size(), dtable.cols());
  ctx.run("scatter_add", {static_cast<double>(dy.size()), 3 * bytes_of_all(dy)}, [&] {
    require_rows("scatter_add", tokens, dtable.rows());
    const Pieces pieces = Pieces::of(dy.cols(), 64);
    ctx.stream().parallel(pieces.count(), [&](Index piece, int) {
      const Index begin = pieces.begin(piece), count = pieces.end(piece) - begin;
      for (Index t = 0; t < dy.rows(); ++t) {
        const Real* from = &dy(t, begin);
        Real* to = &dtable(tokens(t), begin);
        for (Index j = 0; j < count; ++j) to[j] += from[j];
      }
    });
  });
}

// y[i] = x[rows[i]]
template <class Real>
void gather_rows(Context<Cpu<Real>>& ctx, OutMatrix<Real> y, InMatrix<Real> x, InList<Real, std::int32_t> rows) {
  require(y.cols() == x.cols() && y.rows() == rows.size(), Fault::usage, "gather_rows.shape",
          "gather_rows: y is [{}, {}] but {} rows are taken from x with {} columns; expected equal", y.rows(), y.cols(),
          rows.size(), x.cols());
  ctx.run("gather_rows", {0, 2 * bytes_of_all(y)}, [&] {
    require_rows("gather_rows", rows, x.rows());
    const Pieces pieces = Pieces::of_rows(y.rows(), y.cols());
    ctx.stream().parallel(pieces.count(), [&](Index piece, int) {
      for (Index i = pieces.begin(piece); i < pieces.end(piece); ++i)
        std::copy_n(x.data + rows(i) * x.cols(), x.cols(), y.data + i * y.cols());
    });
  });
}

// dx = 0, then dx[rows[i]] = dy[i]. The rows ascend, so that every row of dx is written once.
template <class Real>
void scatter_rows(Context<Cpu<Real>>& ctx, OutMatrix<Real> dx, InMatrix<Real> dy, InList<Real, std::int32_t> rows) {
  require(dy.cols() == dx.cols() && dy.rows() == rows.size(), Fault::usage, "scatter_rows.shape",
          "scatter_rows: dy is [{}, {}] but {} rows go to dx with {} columns; expected equal", dy.rows(), dy.cols(),
          rows.size(), dx.cols());
  ctx.run("scatter_rows", {0, bytes_of_all(dx, dy)}, [&] {
    require_rows("scatter_rows", rows, dx.rows());
    for (Index i = 1; i < rows.size(); ++i)
      require(rows(i - 1) < rows(i), Fault::usage, "scatter_rows.order",
              "scatter_rows: row {} follows row {} at place {}; expected ascending rows", rows(i), rows(i - 1), i);
    const Pieces pieces = Pieces::of_rows(dx.rows(), dx.cols());
    ctx.stream().parallel(pieces.count(), [&](Index piece, int) {
      const std::int32_t* end = rows.data + rows.size();
      const std::int32_t* next = std::lower_bound(rows.data, end, pieces.begin(piece));
      for (Index t = pieces.begin(piece); t < pieces.end(piece); ++t) {
        Real* to = dx.data + t * dx.cols();
        if (next != end && *next == t)
          std::copy_n(dy.data + (next++ - rows.data) * dy.cols(), dx.cols(), to);
        else
          std::fill_n(to, dx.cols(), Real(0));
      }
    });
  });
}

}  // namespace temper
