// SPDX-License-Identifier: MIT
// Causal attention within documents, key-value heads shared by groups of query heads (Ainslie et al., 2023), computed
// by tiles of keys with a running maximum and sum (Milakov and Gimelshein, 2018; Dao et al., 2022), so that no [T, T]
// matrix exists. q, y [T, H C]; k, v [Tk, K C]; lse [T, H].
//   s = scale q k^T        lse = log sum exp(s)        p = exp(s - lse)        y = p v
// Tiles of keys begin at the document's first key. A tile that a row does not see leaves the row's bits alone, so these
// depend on the document only: not on the pack, on the threads, or on the queries computed at the same time.
#pragma once
#include "temper/backend/cpu/attention_backward.hpp"
#include "temper/backend/cpu/attention_tile.hpp"

namespace temper {

// Turn scores of one row into exp(s - maximum), 0 where the row does not see; update its maximum, sum and values.
template <class Real>
void fold_scores(Real* score, Index keys, SeenKeys seen, Real& maximum, Real& sum, Real* values, Index width) {
  if (seen.none()) {
    std::fill_n(score, keys, Real(0));
    return;
  }
  std::fill(score, score + seen.begin, -std::numeric_limits<Real>::infinity());
  std::fill(score + seen.end, score + keys, -std::numeric_limits<Real>::infinity());
  const Real highest = std::max(maximum, maximum_of(score, keys));
  const Real shrink = exponential(maximum - highest);
  for (Index j = 0; j < keys; ++j) score[j] = exponential(score[j] - highest);
  sum = multiply_add(sum, shrink, sum_over<Real>(keys, [&](Index j) { return score[j]; }));
  if (shrink != 1)
    for (Index c = 0; c < width; ++c) values[c] *= shrink;
  maximum = highest;
}

// Rows [begin, end) of one head against all the keys that they see.
template <class Real>
void attend(const AttentionHead<Real>& head, Index begin, Index end, TileMemory<Real> memory, OutMatrix<Real> y,
            OutMatrix<Real> lse, InMatrix<Real> q, InMatrix<Real> k, InMatrix<Real> v) {
  constexpr Index keys = AttentionTile::keys, most = AttentionTile::rows;
  const Index rows = end - begin, width = head.shape.width, padded = head.padded_width();
  Real *queries = memory.take(most * padded), *values = memory.take(most * padded), *scores = memory.take(most * keys);
  Real *key_tile = memory.take(padded * keys), *value_tile = memory.take(keys * padded);
  Real *maximum = memory.take(most), *sum = memory.take(most);
  head.load_rows(q, begin, end, static_cast<Real>(head.shape.scale), queries);
  std::fill_n(values, most * padded, Real(0));
  // Finite, so that no difference of two of them is NaN.
  std::fill_n(maximum, rows, std::numeric_limits<Real>::lowest());
  std::fill_n(sum, rows, Real(0));
  const Index last = head.place(end - 1) + 1;
  for (Index key = head.first_key(begin) / keys * keys; key < last; key += keys) {
    const Index key_end = std::min(key + keys, last), used = AttentionTile::used(key_end - key);
    head.load_keys_transposed(k, key, key_end, key_tile);
    head.load_keys(v, key, key_end, Real(1), value_tile);
    multiply(TileProduct<Real>{.c = scores,
                               .c_stride = keys,
                               .rows = rows,
                               .cols = used,
                               .depth = width,
                               .a = {queries, padded, 1},
                               .b = key_tile,
                               .b_stride = keys},
             TileBegin::zero);
    head.for_rows(begin, end, key, [&](Index r, Index, Index, SeenKeys seen) {
      fold_scores(scores + r * keys, used, seen, maximum[r], sum[r], values + r * padded, padded);
    });
    multiply(TileProduct<Real>{.c = values,
                               .c_stride = padded,
                               .rows = rows,
                               .cols = padded,
                               .depth = key_end - key,
                               .a = {scores, keys, 1},
                               .b = value_tile,
                               .b_stride = padded},
             TileBegin::from_c);
  }
  head.for_rows(begin, end, 0, [&](Index r, Index token, Index query_head, SeenKeys) {
    lse(token, query_head) = maximum[r] + std::log(sum[r]);
    // Adding 0 turns -0 into 0: a tile that the row does not see may have done so already, or not.
    for (Index c = 0; c < width; ++c) values[r * padded + c] = values[r * padded + c] / sum[r] + Real(0);
  });
  head.store_rows(y, begin, end, Real(1), values);
}

template <class Real>
void attention(Context<Cpu<Real>>& ctx, OutMatrix<Real> y, OutMatrix<Real> lse, InMatrix<Real> q, InMatrix<Real> k,
               InMatrix<Real> v, InList<Real, AttentionSpan> spans, AttentionShape shape) {
  check_attention<Real>("attention", q, k, v, lse, shape);
  require(y.shape == q.shape, Fault::usage, "attention.shape",
          "attention: y is [{}, {}] but q is [{}, {}]; expected equal", y.rows(), y.cols(), q.rows(), q.cols());
  const Cost cost{4 * attention_work<Real>(q, k, spans, shape), bytes_of_all(q, k, v, y, lse)};
  ctx.run("attention", cost, [&] {
    check_spans<Real>("attention", spans, q.rows(), k.rows());
    Threads& threads = ctx.stream();
    over_attention_blocks<Real>(threads, spans, shape, blocks_of_rows<Real>,
                                [&](const AttentionHead<Real>& head, Index block, int worker) {
                                  const Pieces rows = Pieces::of(head.rows(), AttentionTile::rows);
                                  attend(head, rows.begin(block), rows.end(block),
                                         TileMemory<Real>(threads.workspace(worker)), y, lse, q, k, v);
                                });
  });
}

}  // namespace temper
