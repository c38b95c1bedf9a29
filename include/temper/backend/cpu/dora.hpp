// SPDX-License-Identifier: MIT
// What DoRA needs beside products. w [O, I] of any element, a [R, I], b [O, R]; norms, m, factor [O]; dy, u [T, O].
//   norms[o] = ||w[o] + scale b[o] a||                 the sum is never held: a stretch of one row at a time is
//   factor[o] = m[o] / norms[o]
//   dm[o] (+)= sum over t of dy[t, o] u[t, o] / norms[o]
// A row of zeros has no direction: its norm counts as 1.
#pragma once
#include "temper/backend/cpu/embedding.hpp"
#include "temper/backend/cpu/math.hpp"
#include "temper/backend/cpu/operands.hpp"
#include "temper/backend/cpu/pack.hpp"

namespace temper {

// Elements [begin, begin + count) of a weight, widened.
template <class Real>
void widen_stretch(const InWeight<Real>& w, Index begin, Index count, Real* to) {
  if (w.codes.coding != Coding::dense) {
    float stretch[256];  // a row's stretch is no longer
    w.products->decode({static_cast<const std::uint8_t*>(w.data), w.codes, w.cols}, begin, count, stretch);
    std::copy_n(stretch, count, to);
    return;
  }
  switch (w.element) {
    case Element::f32:
      return widen_row<float>(static_cast<const float*>(w.data) + begin, 0, to, count);
    case Element::bf16:
      return widen_row<bf16>(static_cast<const bf16*>(w.data) + begin, 0, to, count);
    case Element::f16:
      return widen_row<f16>(static_cast<const f16*>(w.data) + begin, 0, to, count);
    case Element::f64:
      return widen_row<double>(static_cast<const double*>(w.data) + begin, 0, to, count);
  }
}

// Each row is summed in its own order, whatever the threads: with b zero it is the norm of w itself, bit for bit.
template <class Real>
void dora_norms(Context<Cpu<Real>>& ctx, OutVector<Real> norms, InWeight<Real> w, InMatrix<Real> a, InMatrix<Real> b,
                std::type_identity_t<Real> scale) {
  require(norms.size() == w.rows && b.rows() == w.rows && a.cols() == w.cols && a.rows() == b.cols(), Fault::usage,
          "dora_norms.shape",
          "dora_norms: w is [{}, {}], a [{}, {}], b [{}, {}] and there are {} norms; expected w [O, I], a [R, I], "
          "b [O, R], and a norm for each O",
          w.rows, w.cols, a.rows(), a.cols(), b.rows(), b.cols(), norms.size());
  constexpr Index width = 256, most_rows = 64;  // a stretch of all rows of a stays in the first cache
  const double size = static_cast<double>(w.rows) * static_cast<double>(w.cols);
  ctx.run("dora_norms", {2 * size * static_cast<double>(a.rows() + 1), bytes_of_all(w, a, b, norms)}, [&] {
    const Pieces pieces = Pieces::of(w.rows, std::min(most_rows, Pieces::of_rows(w.rows, w.cols).each));
    ctx.stream().parallel(pieces.count(), [&](Index piece, int) {
      const Index first = pieces.begin(piece), last = pieces.end(piece);
      double squares[most_rows] = {};
      Real panel[width];
      for (Index from = 0; from < w.cols; from += width) {
        const Index count = std::min(width, w.cols - from);
        for (Index o = first; o < last; ++o) {
          widen_stretch<Real>(w, o * w.cols + from, count, panel);
          for (Index r = 0; r < a.rows(); ++r) {
            const Real factor = scale * b(o, r);
            const Real* row = &a(r, from);
            for (Index j = 0; j < count; ++j) panel[j] = multiply_add(factor, row[j], panel[j]);
          }
          squares[o - first] += sum_over<double>(
              count, [&](Index j) { return static_cast<double>(panel[j]) * static_cast<double>(panel[j]); });
        }
      }
      for (Index o = first; o < last; ++o) norms(o) = static_cast<Real>(std::sqrt(squares[o - first]));
    });
  });
}

template <class Real>
Real dora_divisor(Real norm) {
  return norm > 0 ? norm : Real(1);
}

// factor[o] = m[o] / norms[o] - less
template <class Real>
void dora_factor(Context<Cpu<Real>>& ctx, OutVector<Real> factor, InVector<Real> m, InVector<Real> norms,
                 std::type_identity_t<Real> less = 0) {
  require(factor.shape == m.shape && norms.shape == m.shape, Fault::usage, "dora_factor.shape",
          "dora_factor: there are {} magnitudes, {} norms and {} factors; expected equal", m.size(), norms.size(),
          factor.size());
  ctx.run("dora_factor", {2 * static_cast<double>(m.size()), bytes_of_all(factor, m, norms)}, [&] {
    for (Index o = 0; o < m.size(); ++o) factor(o) = m(o) / dora_divisor(norms(o)) - less;
  });
}

// Each column is one chain over the tokens in order, as in sum_of_products.
template <class Real>
void dora_magnitude_backward(Context<Cpu<Real>>& ctx, TargetVector<Real> dm, InMatrix<Real> dy, InMatrix<Real> u,
                             InVector<Real> norms) {
  require(dy.shape == u.shape && dm.view.size() == dy.cols() && norms.size() == dy.cols(), Fault::usage,
          "dora_magnitude_backward.shape",
          "dora_magnitude_backward: dy is [{}, {}], u [{}, {}], and there are {} norms and {} gradients; expected one "
          "shape, and one of each a column",
          dy.rows(), dy.cols(), u.rows(), u.cols(), norms.size(), dm.view.size());
  ctx.run("dora_magnitude_backward", {3 * static_cast<double>(dy.size()), bytes_of_all(dy, u, norms, dm.view)}, [&] {
    sum_columns(ctx.stream(), dm.view.data, dm.add, dy.rows(), dy.cols(), [&](Index t, Index j, Real sum) {
      return multiply_add(dy(t, j), u(t, j) / dora_divisor(norms(j)), sum);
    });
  });
}

}  // namespace temper
