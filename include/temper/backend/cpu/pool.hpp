// SPDX-License-Identifier: MIT
// The mean over each document's rows, and its gradient. x, dx [T, D]; y, dy [documents, D]. Of each document the first
// 'skipped' rows, which are no tokens, do not count. A sum has one order, that of the rows, and a document its own.
#pragma once
#include <algorithm>

#include "temper/backend/cpu/math.hpp"
#include "temper/backend/cpu/operands.hpp"
#include "temper/backend/operations.hpp"

namespace temper {

template <class Real>
void check_pooled(std::string_view name, InMatrix<Real> pooled, InMatrix<Real> rows,
                  const InList<Real, AttentionSpan>& spans) {
  require(pooled.cols() == rows.cols() && pooled.rows() == spans.size(), Fault::usage, "mean_rows.shape",
          "{}: [{}, {}] of {} documents with {} columns; expected a row for each, as wide", name, pooled.rows(),
          pooled.cols(), spans.size(), rows.cols());
}
// Calls work(document, first row, end) where these are rows, one at least.
template <class Real, class Work>
void over_pools(Threads& threads, std::string_view name, const InList<Real, AttentionSpan>& spans, Index rows,
                Index width, Index skipped, Work work) {
  for (Index d = 0; d < spans.size(); ++d)
    require(
        spans(d).query_begin >= 0 && spans(d).query_begin + skipped < spans(d).query_end && spans(d).query_end <= rows,
        Fault::usage, "mean_rows.rows",
        "{}: document {} has rows [{}, {}) of {}, of which {} do not count; expected one at least that does", name, d,
        spans(d).query_begin, spans(d).query_end, rows, skipped);
  const Pieces pieces = Pieces::of_rows(spans.size(), width);
  threads.parallel(pieces.count(), [&](Index piece, int) {
    for (Index d = pieces.begin(piece); d < pieces.end(piece); ++d)
      work(d, spans(d).query_begin + skipped, spans(d).query_end);
  });
}

template <class Real>
void mean_rows(Context<Cpu<Real>>& ctx, OutMatrix<Real> y, InMatrix<Real> x, InList<Real, AttentionSpan> spans,
               Index skipped = 0) {
  check_pooled<Real>("mean_rows", y, x, spans);
  ctx.run("mean_rows", {static_cast<double>(x.size()), bytes_of_all(x, y)}, [&] {
    over_pools<Real>(ctx.stream(), "mean_rows", spans, x.rows(), x.cols(), skipped,
                     [&](Index d, Index begin, Index end) {
                       Real* to = &y(d, 0);
                       std::fill_n(to, x.cols(), Real(0));
                       for (Index t = begin; t < end; ++t)
                         for (Index j = 0; j < x.cols(); ++j) to[j] += x(t, j);
                       for (Index j = 0; j < x.cols(); ++j) to[j] /= static_cast<Real>(end - begin);
                     });
  });
}

// dx = 0, then each row that counts has its share of its document's dy.
template <class Real>
void mean_rows_backward(Context<Cpu<Real>>& ctx, OutMatrix<Real> dx, InMatrix<Real> dy,
                        InList<Real, AttentionSpan> spans, Index skipped = 0) {
  check_pooled<Real>("mean_rows_backward", dy, dx, spans);
  ctx.run("mean_rows_backward", {static_cast<double>(dx.size()), bytes_of_all(dx, dy)}, [&] {
    std::fill_n(dx.data, dx.size(), Real(0));
    over_pools<Real>(ctx.stream(), "mean_rows_backward", spans, dx.rows(), dx.cols(), skipped,
                     [&](Index d, Index begin, Index end) {
                       const auto count = static_cast<Real>(end - begin);
                       for (Index t = begin; t < end; ++t)
                         for (Index j = 0; j < dx.cols(); ++j) dx(t, j) = dy(d, j) / count;
                     });
  });
}

}  // namespace temper
