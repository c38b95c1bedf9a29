// SPDX-License-Identifier: MIT
// The gradients of attention. With p recomputed from lse, by tiles, and delta[t, h] = sum over c of dy y:
//   dv = p^T dy        ds = p (dy v^T - delta)        dq = scale ds k        dk = scale ds^T q
// One pass over blocks of keys gives dk and dv, one over blocks of queries dq; each gradient is one chain in the order
// of the queries (and of the heads of a group), or of the keys. Rows that see nothing of a tile add exact zeros.
#pragma once
#include "temper/backend/cpu/attention_tile.hpp"

namespace temper {

// p and ds of a block of rows against a tile of keys.
template <class Real>
class AttentionGradients {
 public:
  AttentionGradients(TileMemory<Real>& memory, Index padded)
      : queries(memory.take(AttentionTile::rows * padded)),
        dy(memory.take(AttentionTile::rows * padded)),
        weights(memory.take(AttentionTile::rows * AttentionTile::keys)),
        dscores(memory.take(AttentionTile::rows * AttentionTile::keys)),
        keys(memory.take(AttentionTile::keys * padded)),
        values(memory.take(AttentionTile::keys * padded)),
        padded_(padded) {}

  Real *queries, *dy;       // [rows, C]; queries are scaled
  Real *weights, *dscores;  // [rows, keys]: p, and ds without the scale
  Real *keys, *values;      // [C, keys]

  void compute(const AttentionHead<Real>& head, Index begin, Index end, Index key, InMatrix<Real> lse,
               InMatrix<Real> delta) {
    constexpr Index width = AttentionTile::keys;
    const Index rows = end - begin, depth = head.shape.width;
    multiply(TileProduct<Real>{weights, width, rows, width, depth, {queries, padded_, 1}, keys, width},
             TileBegin::zero);
    multiply(TileProduct<Real>{dscores, width, rows, width, depth, {dy, padded_, 1}, values, width}, TileBegin::zero);
    for (Index r = 0; r < rows; ++r) {
      Real *p = weights + r * width, *ds = dscores + r * width;
      const SeenKeys seen = seen_keys(head, begin + r, key);
      std::fill(p, p + seen.begin, -std::numeric_limits<Real>::infinity());
      std::fill(p + std::max(seen.begin, seen.end), p + width, -std::numeric_limits<Real>::infinity());
      const Real normaliser = lse(head.token(begin + r), head.head(begin + r));
      const Real mean = delta(head.token(begin + r), head.head(begin + r));
      for (Index j = 0; j < width; ++j) {
        p[j] = exponential(p[j] - normaliser);
        ds[j] = p[j] * (ds[j] - mean);
      }
    }
  }

 private:
  Index padded_;
};

// In training every key belongs to a document, in order.
template <class Real>
void require_all_keys(InList<Real, AttentionSpan> spans, Index keys) {
  Index next = 0;
  for (Index i = 0; i < spans.size(); next = spans(i++).key_end)
    require(spans(i).key_begin == next, Fault::usage, "attention.spans",
            "attention_backward: the keys of document {} begin at {}; expected {}, where those before end", i,
            spans(i).key_begin, next);
  require(next == keys, Fault::usage, "attention.spans",
          "attention_backward: the documents end at key {} but there are {}; expected them to cover all", next, keys);
}

template <class Real>
void key_gradients(Threads& threads, OutMatrix<Real> dk, OutMatrix<Real> dv, InMatrix<Real> dy, InMatrix<Real> lse,
                   InMatrix<Real> delta, InMatrix<Real> q, InMatrix<Real> k, InMatrix<Real> v,
                   InList<Real, AttentionSpan> spans, const AttentionShape& shape) {
  constexpr Index width = AttentionTile::keys;
  const auto blocks = [](const AttentionHead<Real>& head) { return Pieces::of(head.keys(), width).count(); };
  over_attention_blocks<Real>(
      threads, spans, shape, blocks, [&](const AttentionHead<Real>& head, Index block, int worker) {
        const Pieces pieces = Pieces::of(head.keys(), width);
        const Index key = pieces.begin(block), key_end = pieces.end(block), padded = head.padded_width();
        TileMemory<Real> memory(threads.workspace(worker));
        AttentionGradients<Real> tile(memory, padded);
        Real *dkeys = memory.take(width * padded), *dvalues = memory.take(width * padded);
        std::fill_n(dkeys, width * padded, Real(0));
        std::fill_n(dvalues, width * padded, Real(0));
        head.load_keys_transposed(k, key, key_end, tile.keys);
        head.load_keys_transposed(v, key, key_end, tile.values);
        // The rows that see any of these keys.
        const Index before = head.keys() - head.queries();
        const Index first = std::max<Index>(0, key - before) * head.group();
        const Index seeing =
            shape.window == 0 ? head.queries() : std::min(head.queries(), key_end - 1 + shape.window - before);
        const Index last = std::max<Index>(0, seeing) * head.group();
        for (Index begin = first; begin < last; begin += AttentionTile::rows) {
          const Index end = std::min(begin + AttentionTile::rows, last), rows = end - begin;
          head.load_rows(q, begin, end, static_cast<Real>(shape.scale), tile.queries);
          head.load_rows(dy, begin, end, Real(1), tile.dy);
          tile.compute(head, begin, end, key, lse, delta);
          multiply(TileProduct<Real>{dvalues, padded, width, padded, rows, {tile.weights, 1, width}, tile.dy, padded},
                   TileBegin::from_c);
          multiply(
              TileProduct<Real>{dkeys, padded, width, padded, rows, {tile.dscores, 1, width}, tile.queries, padded},
              TileBegin::from_c);
        }
        for (Index j = 0; j < key_end - key; ++j) {
          std::copy_n(dkeys + j * padded, shape.width, &dk(head.span.key_begin + key + j, head.kv_head * shape.width));
          std::copy_n(dvalues + j * padded, shape.width,
                      &dv(head.span.key_begin + key + j, head.kv_head * shape.width));
        }
      });
}

template <class Real>
void query_gradients(Threads& threads, OutMatrix<Real> dq, InMatrix<Real> dy, InMatrix<Real> lse, InMatrix<Real> delta,
                     InMatrix<Real> q, InMatrix<Real> k, InMatrix<Real> v, InList<Real, AttentionSpan> spans,
                     const AttentionShape& shape) {
  constexpr Index width = AttentionTile::keys;
  const auto blocks = [](const AttentionHead<Real>& head) {
    return Pieces::of(head.rows(), AttentionTile::rows).count();
  };
  over_attention_blocks<Real>(
      threads, spans, shape, blocks, [&](const AttentionHead<Real>& head, Index block, int worker) {
        const Pieces pieces = Pieces::of(head.rows(), AttentionTile::rows);
        const Index begin = pieces.begin(block), end = pieces.end(block), rows = end - begin,
                    padded = head.padded_width();
        TileMemory<Real> memory(threads.workspace(worker));
        AttentionGradients<Real> tile(memory, padded);
        Real *dqueries = memory.take(AttentionTile::rows * padded), *key_rows = memory.take(width * padded);
        std::fill_n(dqueries, AttentionTile::rows * padded, Real(0));
        head.load_rows(q, begin, end, static_cast<Real>(shape.scale), tile.queries);
        head.load_rows(dy, begin, end, Real(1), tile.dy);
        const Index last = head.place(end - 1) + 1;
        for (Index key = head.first_key(begin) / width * width; key < last; key += width) {
          const Index key_end = std::min(key + width, last);
          head.load_keys_transposed(k, key, key_end, tile.keys);
          head.load_keys_transposed(v, key, key_end, tile.values);
          head.load_keys(k, key, key_end, key_rows);
          tile.compute(head, begin, end, key, lse, delta);
          // Rows that pad the fours hold what was there; their gradients are computed and dropped.
          multiply(
              TileProduct<Real>{
                  dqueries, padded, rows, padded, key_end - key, {tile.dscores, width, 1}, key_rows, padded},
              TileBegin::from_c);
        }
        head.store_rows(dq, begin, end, static_cast<Real>(shape.scale), dqueries);
      });
}

template <class Real>
void attention_backward(Context<Cpu<Real>>& ctx, OutMatrix<Real> dq, OutMatrix<Real> dk, OutMatrix<Real> dv,
                        InMatrix<Real> dy, InMatrix<Real> y, InMatrix<Real> lse, InMatrix<Real> q, InMatrix<Real> k,
                        InMatrix<Real> v, InList<Real, AttentionSpan> spans, AttentionShape shape) {
  check_attention<Real>("attention_backward", q, k, v, lse, shape);
  require(
      y.shape == q.shape && dy.shape == q.shape && dq.shape == q.shape && dk.shape == k.shape && dv.shape == k.shape,
      Fault::usage, "attention_backward.shape",
      "attention_backward: q is [{}, {}] and k [{}, {}]; expected y, dy, dq as q and dk, dv as k", q.rows(), q.cols(),
      k.rows(), k.cols());
  const auto scope = ctx.scope();
  const OutMatrix<Real> delta = scratch<Real>(ctx, q.rows(), shape.heads);
  const Cost cost{14 * attention_work<Real>(q, k, spans, shape), bytes_of_all(q, k, v, y, dy, lse, dq, dk, dv)};
  ctx.run("attention_backward", cost, [&] {
    check_spans<Real>("attention_backward", spans, q.rows(), k.rows());
    require_all_keys<Real>(spans, k.rows());
    Threads& threads = ctx.stream();
    over_rows(ctx, q.rows(), q.cols(), [&](Index t) {
      for (Index h = 0; h < shape.heads; ++h) {
        const Real *a = &dy(t, h * shape.width), *b = &y(t, h * shape.width);
        delta(t, h) = static_cast<Real>(sum_over<double>(
            shape.width, [&](Index c) { return static_cast<double>(a[c]) * static_cast<double>(b[c]); }));
      }
    });
    key_gradients<Real>(threads, dk, dv, dy, lse, delta, q, k, v, spans, shape);
    query_gradients<Real>(threads, dq, dy, lse, delta, q, k, v, spans, shape);
  });
}

}  // namespace temper
