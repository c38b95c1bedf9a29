// SPDX-License-Identifier: MIT
// The gradients of attention. With p recomputed from lse, by tiles, and delta[t, h] = sum over c of dy y:
//   dv = p^T dy        ds = p (dy v^T - delta)        dq = scale ds k        dk = scale ds^T q
// One pass over blocks of keys gives dk and dv, one over blocks of queries dq; each gradient is one chain in the order
// of the queries (and of the heads of a group), or of the keys. Rows that see nothing of a tile add exact zeros.
#pragma once
#include "temper/backend/cpu/attention_tile.hpp"

namespace temper {

// p and ds of a block of rows against a tile of keys, and the products that they go into.
template <class Real>
class GradientTile {
 public:
  static constexpr Index keys = AttentionTile::keys, rows = AttentionTile::rows;

  GradientTile(TileMemory<Real>& memory, const AttentionHead<Real>& head)
      : head_(head),
        padded_(head.padded_width()),
        queries_(memory.take(rows * padded_)),
        dy_(memory.take(rows * padded_)),
        weights_(memory.take(rows * keys)),
        dscores_(memory.take(rows * keys)),
        keys_(memory.take(keys * padded_)),
        values_(memory.take(keys * padded_)) {}

  void load_rows(InMatrix<Real> q, InMatrix<Real> dy, Index begin, Index end) {
    head_.load_rows(q, begin, end, static_cast<Real>(head_.shape.scale), queries_);
    head_.load_rows(dy, begin, end, Real(1), dy_);
    begin_ = begin, end_ = end;
  }
  void load_keys(InMatrix<Real> k, InMatrix<Real> v, Index begin, Index end) {
    head_.load_keys_transposed(k, begin, end, keys_);
    head_.load_keys_transposed(v, begin, end, values_);
    key_begin_ = begin, key_end_ = end;
  }

  // Keys after the last that one of the rows sees are left out.
  void compute(InMatrix<Real> lse, InMatrix<Real> delta) {
    used_ = AttentionTile::used(std::min(key_end_, head_.place(end_ - 1) + 1) - key_begin_);
    const Index count = end_ - begin_;
    TileProduct<Real> product{.c = weights_,
                              .c_stride = keys,
                              .rows = count,
                              .cols = used_,
                              .depth = head_.shape.width,
                              .a = {queries_, padded_, 1},
                              .b = keys_,
                              .b_stride = keys};
    multiply(product, TileBegin::zero);
    product.c = dscores_, product.a.data = dy_, product.b = values_;
    multiply(product, TileBegin::zero);
    head_.for_rows(begin_, end_, key_begin_, [&](Index r, Index token, Index head, SeenKeys seen) {
      Real *p = weights_ + r * keys, *ds = dscores_ + r * keys;
      std::fill(p, p + std::min(seen.begin, used_), -std::numeric_limits<Real>::infinity());
      if (seen.end < used_) std::fill(p + seen.end, p + used_, -std::numeric_limits<Real>::infinity());
      const Real normaliser = lse(token, head), mean = delta(token, head);
      for (Index j = 0; j < used_; ++j) {
        p[j] = exponential(p[j] - normaliser);
        ds[j] = p[j] * (ds[j] - mean);
      }
    });
  }

  // dvalues += p^T dy and dkeys += ds^T q, [keys, C].
  void add_to_keys(Real* dkeys, Real* dvalues) const {
    TileProduct<Real> product{.c = dvalues,
                              .c_stride = padded_,
                              .rows = used_,
                              .cols = padded_,
                              .depth = end_ - begin_,
                              .a = {weights_, 1, keys},
                              .b = dy_,
                              .b_stride = padded_};
    multiply(product, TileBegin::from_c);
    product.c = dkeys, product.a.data = dscores_, product.b = queries_;
    multiply(product, TileBegin::from_c);
  }
  // dqueries += ds k, [rows, C], with the keys as rows, scaled. Rows that pad the fours hold anything; so does their
  // gradient.
  void add_to_queries(const Real* key_rows, Real* dqueries) const {
    multiply(TileProduct<Real>{.c = dqueries,
                               .c_stride = padded_,
                               .rows = end_ - begin_,
                               .cols = padded_,
                               .depth = std::min(used_, key_end_ - key_begin_),
                               .a = {dscores_, keys, 1},
                               .b = key_rows,
                               .b_stride = padded_},
             TileBegin::from_c);
  }

 private:
  const AttentionHead<Real>& head_;
  Index padded_, begin_ = 0, end_ = 0, key_begin_ = 0, key_end_ = 0, used_ = 0;
  Real *queries_, *dy_;       // [rows, C]; queries are scaled
  Real *weights_, *dscores_;  // [rows, keys]: p, and ds without the scale
  Real *keys_, *values_;      // [C, keys]
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

// dk and dv of keys [key, key_end) of one head, from all the rows that see them, and what these keys add to dq if that
// is not empty.
template <class Real>
void key_gradients(const AttentionHead<Real>& head, Index key, Index key_end, TileMemory<Real> memory,
                   OutMatrix<Real> dq, OutMatrix<Real> dk, OutMatrix<Real> dv, InMatrix<Real> dy, InMatrix<Real> lse,
                   InMatrix<Real> delta, InMatrix<Real> q, InMatrix<Real> k, InMatrix<Real> v) {
  const Index padded = head.padded_width(), size = AttentionTile::keys * padded, window = head.shape.window;
  GradientTile<Real> tile(memory, head);
  Real *dkeys = memory.take(size), *dvalues = memory.take(size), *key_rows = memory.take(size);
  Real* dqueries = memory.take(AttentionTile::rows * padded);
  std::fill_n(dkeys, size, Real(0));
  std::fill_n(dvalues, size, Real(0));
  tile.load_keys(k, v, key, key_end);
  head.load_keys(k, key, key_end, static_cast<Real>(head.shape.scale), key_rows);
  const Index before = head.keys() - head.queries();
  const Index first = std::max<Index>(0, key - before);
  const Index last = window == 0 ? head.queries() : std::clamp<Index>(key_end - 1 + window - before, 0, head.queries());
  const Pieces blocks = Pieces::of((last - first) * head.group(), AttentionTile::rows);
  for (Index block = 0; block < blocks.count(); ++block) {
    const Index offset = first * head.group();
    const Index begin = offset + blocks.begin(block), end = offset + blocks.end(block);
    tile.load_rows(q, dy, begin, end);
    tile.compute(lse, delta);
    tile.add_to_keys(dkeys, dvalues);
    if (dq.empty()) continue;
    head.load_rows(dq, begin, end, Real(1), dqueries);
    tile.add_to_queries(key_rows, dqueries);
    head.store_rows(dq, begin, end, Real(1), dqueries);
  }
  for (Index j = 0; j < key_end - key; ++j) {
    const Index row = head.span.key_begin + key + j, col = head.kv_head * head.shape.width;
    std::copy_n(dkeys + j * padded, head.shape.width, &dk(row, col));
    std::copy_n(dvalues + j * padded, head.shape.width, &dv(row, col));
  }
}

// dq of rows [begin, end) of one head, from all the keys that they see.
template <class Real>
void query_gradients(const AttentionHead<Real>& head, Index begin, Index end, TileMemory<Real> memory,
                     OutMatrix<Real> dq, InMatrix<Real> dy, InMatrix<Real> lse, InMatrix<Real> delta, InMatrix<Real> q,
                     InMatrix<Real> k, InMatrix<Real> v) {
  constexpr Index keys = AttentionTile::keys;
  const Index padded = head.padded_width();
  GradientTile<Real> tile(memory, head);
  Real *dqueries = memory.take(AttentionTile::rows * padded), *key_rows = memory.take(keys * padded);
  std::fill_n(dqueries, AttentionTile::rows * padded, Real(0));
  tile.load_rows(q, dy, begin, end);
  const Index last = head.place(end - 1) + 1;
  for (Index key = head.first_key(begin) / keys * keys; key < last; key += keys) {
    const Index key_end = std::min(key + keys, last);
    tile.load_keys(k, v, key, key_end);
    head.load_keys(k, key, key_end, static_cast<Real>(head.shape.scale), key_rows);
    tile.compute(lse, delta);
    tile.add_to_queries(key_rows, dqueries);
  }
  head.store_rows(dq, begin, end, Real(1), dqueries);
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
  const Cost cost{10 * attention_work<Real>(q, k, spans, shape), bytes_of_all(q, k, v, y, dy, lse, dq, dk, dv)};
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
    if (spans.size() * shape.kv_heads >= 2 * threads.count()) {
      over_elements(ctx, dq.size(),
                    [=](Index begin, Index end) { std::fill(dq.data + begin, dq.data + end, Real(0)); });
      const auto one = [](const AttentionHead<Real>&) -> Index { return 1; };
      over_attention_blocks<Real>(threads, spans, shape, one, [&](const AttentionHead<Real>& head, Index, int worker) {
        for (Index key = 0; key < head.keys(); key += AttentionTile::keys)
          key_gradients<Real>(head, key, std::min(key + AttentionTile::keys, head.keys()),
                              TileMemory<Real>(threads.workspace(worker)), dq, dk, dv, dy, lse, delta, q, k, v);
      });
      return;
    }
    over_attention_blocks<Real>(
        threads, spans, shape, blocks_of_keys<Real>, [&](const AttentionHead<Real>& head, Index block, int worker) {
          const Pieces keys = Pieces::of(head.keys(), AttentionTile::keys);
          key_gradients<Real>(head, keys.begin(block), keys.end(block), TileMemory<Real>(threads.workspace(worker)), {},
                              dk, dv, dy, lse, delta, q, k, v);
        });
    over_attention_blocks<Real>(
        threads, spans, shape, blocks_of_rows<Real>, [&](const AttentionHead<Real>& head, Index block, int worker) {
          const Pieces rows = Pieces::of(head.rows(), AttentionTile::rows);
          query_gradients<Real>(head, rows.begin(block), rows.end(block), TileMemory<Real>(threads.workspace(worker)),
                                dq, dy, lse, delta, q, k, v);
        });
  });
}

}  // namespace temper
