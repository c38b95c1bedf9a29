// SPDX-License-Identifier: MIT
// What backward adds to gradients of matrices, in either form (Gradient). A gradient in bf16 is widened, added to by
// the very operation that adds to a wide one, and rounded at random: a panel of rows at a time, so that it is nowhere
// held whole in the backend's precision. The bits of rounding are drawn by place, update, micro-batch and element.
#pragma once
#include <algorithm>
#include <array>

#include "temper/backend/cpu/embedding.hpp"
#include "temper/backend/cpu/linear.hpp"
#include "temper/backend/cpu/operands.hpp"
#include "temper/backend/cpu/round.hpp"

namespace temper {

// Rows of a panel: about four million elements, enough that what a product packs anew for each panel does not count.
constexpr Index panel_rows(Index cols) {
  const Index fitting = (Index{1} << 22) / std::max<Index>(1, cols);
  return fitting >= 64 ? fitting / 64 * 64 : std::max<Index>(1, fitting);
}

// y += scale a^T b, so many rows of a gradient in bf16 at once (0: panel_rows).
// [matmul_outer]
template <class Real>
void matmul_outer(Context<Cpu<Real>>& ctx, OntoGradient<Real> y, InMatrix<Real> a, InMatrix<Real> b,
                  std::type_identity_t<Real> scale = 1, Index at_once = 0) {
  if (!y.is_narrow()) return matmul_outer(ctx, onto(y.wide), a, b, scale);
  require(a.rows() == b.rows() && y.rows() == a.cols() && y.cols() == b.cols(), Fault::usage, "matmul_outer.shape",
          "matmul_outer: y is [{}, {}], a is [{}, {}] and b is [{}, {}]; expected y [I, J], a [T, I], b [T, J]",
          y.rows(), y.cols(), a.rows(), a.cols(), b.rows(), b.cols());
  const auto scope = ctx.scope();
  const Pieces panels = Pieces::of(y.rows(), at_once > 0 ? at_once : panel_rows(y.cols()));
  const OutMatrix<Real> panel = scratch<Real>(ctx, std::min(panels.total, panels.each), y.cols());
  for (Index i = 0; i < panels.count(); ++i) {
    const Index begin = panels.begin(i), rows = panels.end(i) - begin;
    const auto wide = flat(panel.slice(0, rows));
    const auto narrow = flat(y.narrow.slice(begin, begin + rows));
    widen(ctx, wide, narrow);
    run_product<Real>(ctx, "matmul_outer",
                      {.c = wide.data,
                       .add = true,
                       .rows = rows,
                       .cols = b.cols(),
                       .depth = a.rows(),
                       .a = {a.data + begin, element_of<Real>, a.cols(), Order::depth_outer},
                       .b = {b.data, element_of<Real>, b.cols(), Order::depth_outer},
                       .scale = scale});
    round_at_random(ctx, narrow, wide, ctx.rounding(y.site), begin * y.cols());
  }
}
// [/matmul_outer]

// dtable[tokens[t]] += dy[t], equal tokens in their order; of a table in bf16 each row is rounded once, after the last.
template <class Real>
void scatter_add(Context<Cpu<Real>>& ctx, OntoGradient<Real> dtable, InMatrix<Real> dy, InList<Real, TokenId> tokens) {
  if (!dtable.is_narrow()) return scatter_add(ctx, dtable.wide, dy, tokens);
  require(dy.cols() == dtable.cols() && dy.rows() == tokens.size(), Fault::usage, "scatter_add.shape",
          "scatter_add: dy is [{}, {}] but there are {} tokens and dtable has {} columns; expected a row a token",
          dy.rows(), dy.cols(), tokens.size(), dtable.cols());
  const auto scope = ctx.scope();
  const auto order = scratch<Index>(ctx, tokens.size());  // places of equal tokens side by side
  const Random random = ctx.rounding(dtable.site);
  ctx.run("scatter_add", {static_cast<double>(dy.size()), 2 * bytes_of_all(dy)}, [&] {
    require_rows("scatter_add", tokens, dtable.rows());
    Index* const last = order.data + order.size();
    for (Index t = 0; t < order.size(); ++t) order(t) = t;
    std::sort(order.data, last,
              [&](Index a, Index b) { return tokens(a) != tokens(b) ? tokens(a) < tokens(b) : a < b; });
    constexpr Index stretch = rounding_stretch;
    const Pieces pieces = Pieces::of(dy.cols(), stretch);
    ctx.stream().parallel(pieces.count(), [&](Index piece, int) {
      const Index begin = pieces.begin(piece), count = pieces.end(piece) - begin;
      std::array<Real, stretch> sum{};
      for (const Index* t = order.data; t != last;) {
        const Index token = tokens(*t), place = token * dtable.cols() + begin;
        bf16* const held = dtable.narrow.data + place;
        for (Index j = 0; j < count; ++j) sum[static_cast<std::size_t>(j)] = static_cast<Real>(to_float(held[j]));
        for (; t != last && tokens(*t) == token; ++t) {
          const Real* from = &dy(*t, begin);
          for (Index j = 0; j < count; ++j) sum[static_cast<std::size_t>(j)] += from[j];
        }
        round_elements(held, sum.data(), place, count, random);
      }
    });
  });
}

}  // namespace temper
