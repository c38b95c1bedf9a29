// SPDX-License-Identifier: MIT
// What attention works on: tiles of queries, keys and scores in a worker's workspace, and the product of two tiles.
// A row of a tile is one query of one head; the heads that share keys stand together, query by query.
// The law of bits: every element of a product is one chain of fused multiply-adds over the depth in ascending order, so
// that it does not know which rows are computed with it.
#pragma once
#include <array>
#include <cmath>
#include <cstddef>

#include "temper/backend/cpu/math.hpp"
#include "temper/backend/cpu/operands.hpp"
#include "temper/backend/cpu/vector.hpp"
#include "temper/backend/operations.hpp"

namespace temper {

struct AttentionTile {
  static constexpr Index rows = 128, keys = 64, max_width = 256;
  static constexpr Index step = 4;      // rows are computed by fours
  static constexpr Index columns = 16;  // widths are rounded up to this

  static constexpr Index used(Index width) { return (width + columns - 1) / columns * columns; }
};

// An operand of which the rows of the product are rows (depth_step 1) or columns (row_step 1).
template <class Real>
struct TileRows {
  const Real* data;
  Index row_step, depth_step;
};

template <class Real>
struct TileProduct {
  Real* c;  // [rows, cols], rows padded to a multiple of four, cols a multiple of 16
  Index c_stride;
  Index rows, cols, depth;
  TileRows<Real> a;
  const Real* b;  // [depth, cols]
  Index b_stride;
};

enum class TileBegin { zero, from_c };

template <Index Vectors>
void multiply_four_rows(const TileProduct<float>& p, Index row, Index col, TileBegin begin) {
  Floats sum[std::size_t{AttentionTile::step}][std::size_t{Vectors}];
  float* c = p.c + row * p.c_stride + col;
#pragma GCC unroll 4
  for (Index r = 0; r < AttentionTile::step; ++r)
#pragma GCC unroll 4
    for (Index v = 0; v < Vectors; ++v)
      sum[r][v] = begin == TileBegin::zero ? Floats{} : load(c + r * p.c_stride + v * lanes);
  const float *a = p.a.data + row * p.a.row_step, *b = p.b + col;
  for (Index k = 0; k < p.depth; ++k, a += p.a.depth_step, b += p.b_stride) {
    Floats column[std::size_t{Vectors}];
#pragma GCC unroll 4
    for (Index v = 0; v < Vectors; ++v) column[v] = load(b + v * lanes);
#pragma GCC unroll 4
    for (Index r = 0; r < AttentionTile::step; ++r) {
      const Floats own = broadcast(a[r * p.a.row_step]);
#pragma GCC unroll 4
      for (Index v = 0; v < Vectors; ++v) sum[r][v] = fma(own, column[v], sum[r][v]);
    }
  }
#pragma GCC unroll 4
  for (Index r = 0; r < AttentionTile::step; ++r)
#pragma GCC unroll 4
    for (Index v = 0; v < Vectors; ++v) store(c + r * p.c_stride + v * lanes, sum[r][v]);
}

// c (+)= a b
inline void multiply(const TileProduct<float>& p, TileBegin begin) {
  constexpr Index widest = lanes == 16 ? 4 : 2;
  constexpr std::array four_rows = {&multiply_four_rows<1>, &multiply_four_rows<2>, &multiply_four_rows<3>,
                                    &multiply_four_rows<4>};
  for (Index col = 0, vectors; col < p.cols; col += vectors * lanes) {
    vectors = std::min(widest, (p.cols - col) / lanes);
    const auto by_four = four_rows[static_cast<std::size_t>(vectors - 1)];
    for (Index row = 0; row < p.rows; row += AttentionTile::step) by_four(p, row, col, begin);
  }
}
inline void multiply(const TileProduct<double>& p, TileBegin begin) {
  for (Index row = 0; row < p.rows; ++row) {
    double* c = p.c + row * p.c_stride;
    if (begin == TileBegin::zero) std::fill_n(c, p.cols, 0.0);
    for (Index k = 0; k < p.depth; ++k) {
      const double own = p.a.data[row * p.a.row_step + k * p.a.depth_step];
      const double* b = p.b + k * p.b_stride;
      for (Index col = 0; col < p.cols; ++col) c[col] = multiply_add(own, b[col], c[col]);
    }
  }
}

// to[c, key] = from[key, c], rows of 'to' as wide as a tile of keys.
inline void transpose_tile(const double* from, Index stride, Index keys, Index width, double* to) {
  for (Index key = 0; key < keys; ++key)
    for (Index c = 0; c < width; ++c) to[c * AttentionTile::keys + key] = from[key * stride + c];
}
inline void transpose_tile(const float* from, Index stride, Index keys, Index width, float* to) {
  for (Index key = 0; key < keys; key += lanes)
    for (Index c = 0; c < width; c += lanes) {
      const Index rows = std::min(lanes, keys - key), cols = std::min(lanes, width - c);
      const float* source = from + key * stride + c;
      float* target = to + c * AttentionTile::keys + key;
      if (rows == lanes && cols == lanes) {
        Floats block[lanes];
#pragma GCC unroll 16
        for (Index i = 0; i < lanes; ++i) block[i] = load(source + i * stride);
        transpose(block);
#pragma GCC unroll 16
        for (Index i = 0; i < lanes; ++i) store(target + i * AttentionTile::keys, block[i]);
      } else {
        for (Index i = 0; i < rows; ++i)
          for (Index j = 0; j < cols; ++j) target[j * AttentionTile::keys + i] = source[i * stride + j];
      }
    }
}

// The part of a tile's keys that a row sees.
struct SeenKeys {
  Index begin, end;
  bool none() const { return begin >= end; }
};

// One document, one key-value head: where its queries and keys lie.
template <class Real>
struct AttentionHead {
  AttentionSpan span;
  AttentionShape shape;
  Index kv_head;

  Index group() const { return shape.heads / shape.kv_heads; }
  Index queries() const { return span.query_end - span.query_begin; }
  Index keys() const { return span.key_end - span.key_begin; }
  Index rows() const { return queries() * group(); }
  Index padded_width() const { return AttentionTile::used(shape.width); }

  // A row's query stands at this key and sees the keys from the first, all counted from the document's first.
  Index place(Index row) const { return keys() - queries() + row / group(); }
  Index first_key(Index row) const { return first_key_from(place(row)); }

  // f(row - begin, token, head, keys seen of those from 'key' on) for rows [begin, end), without a division for each.
  template <class F>
  void for_rows(Index begin, Index end, Index key, F f) const {
    const Index heads = group();
    Index query = begin / heads, member = begin % heads;
    for (Index row = begin; row < end; ++row) {
      const Index at = keys() - queries() + query;
      f(row - begin, span.query_begin + query, kv_head * heads + member,
        SeenKeys{std::clamp<Index>(first_key_from(at) - key, 0, AttentionTile::keys),
                 std::clamp<Index>(at + 1 - key, 0, AttentionTile::keys)});
      if (++member == heads) member = 0, ++query;
    }
  }

  // Rows [begin, end) of a [T, H C] matrix, times scale, padded with zeros to fours of rows and sixteens of columns.
  void load_rows(InMatrix<Real> from, Index begin, Index end, Real scale, Real* tile) const {
    const Index width = shape.width, padded = padded_width();
    for_rows(begin, end, 0, [&](Index r, Index token, Index head, SeenKeys) {
      const Real* source = &from(token, head * width);
      Real* target = tile + r * padded;
      for (Index c = 0; c < width; ++c) target[c] = source[c] * scale;
      std::fill(target + width, target + padded, Real(0));
    });
    const Index missing = (begin - end) & (AttentionTile::step - 1);
    std::fill_n(tile + (end - begin) * padded, missing * padded, Real(0));
  }
  void store_rows(OutMatrix<Real> to, Index begin, Index end, Real scale, const Real* tile) const {
    const Index width = shape.width, padded = padded_width();
    for_rows(begin, end, 0, [&](Index r, Index token, Index head, SeenKeys) {
      Real* target = &to(token, head * width);
      for (Index c = 0; c < width; ++c) target[c] = tile[r * padded + c] * scale;
    });
  }

  // Keys or values [begin, end) times scale, [keys, padded width], or transposed, [width, tile keys], padded with
  // zeros.
  void load_keys(InMatrix<Real> from, Index begin, Index end, Real scale, Real* tile) const {
    const Index width = shape.width, padded = padded_width();
    for (Index key = begin; key < end; ++key, tile += padded) {
      const Real* source = &from(span.key_begin + key, kv_head * width);
      for (Index c = 0; c < width; ++c) tile[c] = source[c] * scale;
      std::fill(tile + width, tile + padded, Real(0));
    }
  }
  void load_keys_transposed(InMatrix<Real> from, Index begin, Index end, Real* tile) const {
    constexpr Index stride = AttentionTile::keys;
    const Real* source = &from(span.key_begin + begin, kv_head * shape.width);
    transpose_tile(source, from.cols(), end - begin, shape.width, tile);
    for (Index c = 0; c < shape.width; ++c)
      std::fill(tile + c * stride + end - begin, tile + c * stride + AttentionTile::used(end - begin), Real(0));
  }

 private:
  Index first_key_from(Index at) const { return shape.window == 0 ? 0 : std::max<Index>(0, at + 1 - shape.window); }
};

// Tiles side by side in a worker's workspace.
template <class Real>
class TileMemory {
 public:
  explicit TileMemory(std::byte* workspace) : next_(reinterpret_cast<Real*>(workspace)) {}
  Real* take(Index count) {
    Real* tile = next_;
    next_ += (count + 15) / 16 * 16;
    return tile;
  }

 private:
  Real* next_;
};
static_assert((3 * AttentionTile::rows * AttentionTile::max_width + 5 * AttentionTile::keys * AttentionTile::max_width +
               2 * AttentionTile::rows * AttentionTile::keys + 4 * AttentionTile::rows) *
                  static_cast<Index>(sizeof(double)) <=
              static_cast<Index>(Threads::workspace_bytes));

template <class Real>
void check_attention(std::string_view name, InMatrix<Real> q, InMatrix<Real> k, InMatrix<Real> v, InMatrix<Real> lse,
                     const AttentionShape& shape) {
  require(
      shape.heads > 0 && shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0 && shape.width > 0 &&
          shape.width <= AttentionTile::max_width && shape.window >= 0,
      Fault::usage, "attention.shape",
      "{}: {} query heads, {} key-value heads of width {} and window {}; expected a multiple of the key-value heads, "
      "a width up to {} and no negative window",
      name, shape.heads, shape.kv_heads, shape.width, shape.window, AttentionTile::max_width);
  require(
      q.cols() == shape.heads * shape.width && k.cols() == shape.kv_heads * shape.width && v.shape == k.shape,
      Fault::usage, "attention.shape",
      "{}: q has {} columns, k is [{}, {}] and v is [{}, {}]; expected {} for q, {} for k and v, and as many keys as "
      "values",
      name, q.cols(), k.rows(), k.cols(), v.rows(), v.cols(), shape.heads * shape.width, shape.kv_heads * shape.width);
  require(lse.rows() == q.rows() && lse.cols() == shape.heads, Fault::usage, "attention.shape",
          "{}: lse is [{}, {}]; expected [{}, {}], one for each query and head", name, lse.rows(), lse.cols(), q.rows(),
          shape.heads);
}

// Documents follow each other without gaps among the queries; keys may lie anywhere in a cache.
template <class Real>
void check_spans(std::string_view name, InList<Real, AttentionSpan> spans, Index queries, Index keys) {
  Index next = 0;
  for (Index i = 0; i < spans.size(); ++i) {
    const AttentionSpan s = spans(i);
    require(
        s.query_begin == next && s.query_end >= s.query_begin && s.key_begin >= 0 && s.key_end <= keys &&
            s.key_end - s.key_begin >= s.query_end - s.query_begin,
        Fault::usage, "attention.spans",
        "{}: document {} has queries [{}, {}) and keys [{}, {}); expected queries from {} on, keys up to {}, and not "
        "fewer keys than queries",
        name, i, s.query_begin, s.query_end, s.key_begin, s.key_end, next, keys);
    next = s.query_end;
  }
  require(next == queries, Fault::usage, "attention.spans",
          "{}: the documents end at query {} but there are {}; expected them to cover all", name, next, queries);
}

// Pieces over (document, key-value head, block): f(head, block). Late blocks of rows have the most keys and go first.
template <class Real, class BlocksOf, class F>
void over_attention_blocks(Threads& threads, InList<Real, AttentionSpan> spans, const AttentionShape& shape,
                           BlocksOf blocks_of, F f) {
  Index pieces = 0;
  for (Index i = 0; i < spans.size(); ++i)
    pieces += shape.kv_heads * blocks_of(AttentionHead<Real>{spans(i), shape, 0});
  threads.parallel(pieces, [&](Index piece, int worker) {
    Index left = pieces - 1 - piece, document = 0;
    for (Index here; left >= (here = shape.kv_heads * blocks_of(AttentionHead<Real>{spans(document), shape, 0}));
         ++document)
      left -= here;
    f(AttentionHead<Real>{spans(document), shape, left % shape.kv_heads}, left / shape.kv_heads, worker);
  });
}

template <class Real>
Index blocks_of_rows(const AttentionHead<Real>& head) {
  return Pieces::of(head.rows(), AttentionTile::rows).count();
}
template <class Real>
Index blocks_of_keys(const AttentionHead<Real>& head) {
  return Pieces::of(head.keys(), AttentionTile::keys).count();
}

// Multiply-adds of one product over what is seen, if the documents are about equal.
template <class Real>
double attention_work(InMatrix<Real> q, InMatrix<Real> k, InList<Real, AttentionSpan> spans,
                      const AttentionShape& shape) {
  const double documents = static_cast<double>(std::max<Index>(1, spans.size()));
  double seen = static_cast<double>(k.rows()) / documents;
  if (q.rows() >= k.rows()) seen /= 2;
  if (shape.window > 0) seen = std::min(seen, static_cast<double>(shape.window));
  return static_cast<double>(q.size()) * seen;
}

}  // namespace temper
