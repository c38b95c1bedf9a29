// SPDX-License-Identifier: MIT
// Self-attention of a decoder block: q, k, v projections, norms of query and key heads where the family has them
// (Qwen3), rotary embedding, causal attention within each document, output projection.
#pragma once
#include <cmath>
#include <optional>

#include "temper/model/batch.hpp"
#include "temper/model/norm.hpp"

namespace temper {

template <class B, class A>
struct SelfAttention {
  using Act = typename B::Activation;
  using Matrix = View<B, Act, 2>;
  using Linear = typename A::template Linear<B>;
  struct Saved {
    typename Linear::Saved query, key, value, output;
    typename Norm<B>::Saved query_norm, key_norm;
    Matrix queries, keys, values;  // after norm and rotary: [T, H C], [T, K C], [T, K C]
    Matrix mixed, lse;             // attention's result [T, H C] and log-sum-exp [T, H]
  };
  Linear query, key, value, output;
  std::optional<Norm<B>> query_norm, key_norm;
  AttentionShape shape{};
  Index layer = 0;  // which matrices of the cache are this layer's

  void forward(Context<B>& ctx, In<B> x, Out<B> y, const TokenBatch<B>& batch, Saved& saved) {
    const Index tokens = x.rows();
    saved.queries = project(ctx, query, query_norm, x, shape.heads, saved.query, saved.query_norm);
    saved.keys = project(ctx, key, key_norm, x, shape.kv_heads, saved.key, saved.key_norm);
    saved.values = keep<Act>(ctx, tokens, shape.kv_heads * shape.width);
    value.forward(ctx, x, into(saved.values), saved.value);
    rotary(ctx, saved.queries, batch.positions, batch.cosines, batch.sines, shape.heads, Rotation::forward);
    rotary(ctx, saved.keys, batch.positions, batch.cosines, batch.sines, shape.kv_heads, Rotation::forward);

    const auto scope = ctx.scope();
    Matrix keys = spread(ctx, batch, saved.keys), values = spread(ctx, batch, saved.values);
    if (batch.cache) remember(ctx, batch, keys, values);
    saved.mixed = keep<Act>(ctx, tokens, shape.heads * shape.width);
    saved.lse = keep<Act>(ctx, tokens, shape.heads);
    attention(ctx, saved.mixed, saved.lse, In<B>(saved.queries), In<B>(keys), In<B>(values), batch.spans, shape);
    output.forward(ctx, saved.mixed, y, saved.output);
  }

  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, const TokenBatch<B>& batch, Saved& saved) {
    const auto scope = ctx.scope();
    const Index tokens = dy.rows();
    const auto dmixed = scratch<Act>(ctx, tokens, shape.heads * shape.width);
    const auto dqueries = scratch<Act>(ctx, tokens, shape.heads * shape.width);
    const Matrix keys = spread(ctx, batch, saved.keys), values = spread(ctx, batch, saved.values);
    const auto dspread_keys = scratch<Act>(ctx, keys.rows(), keys.cols());
    const auto dspread_values = scratch<Act>(ctx, keys.rows(), keys.cols());
    output.backward(ctx, dy, into(dmixed), saved.output);
    attention_backward(ctx, dqueries, dspread_keys, dspread_values, In<B>(dmixed), In<B>(saved.mixed), In<B>(saved.lse),
                       In<B>(saved.queries), In<B>(keys), In<B>(values), batch.spans, shape);
    const Matrix dkeys = gathered(ctx, batch, dspread_keys), dvalues = gathered(ctx, batch, dspread_values);
    rotary(ctx, dkeys, batch.positions, batch.cosines, batch.sines, shape.kv_heads, Rotation::backward);
    rotary(ctx, dqueries, batch.positions, batch.cosines, batch.sines, shape.heads, Rotation::backward);
    value.backward(ctx, dvalues, dx, saved.value);
    project_backward(ctx, key, key_norm, dkeys, onto(dx.view), saved.key, saved.key_norm);
    project_backward(ctx, query, query_norm, dqueries, onto(dx.view), saved.query, saved.query_norm);
  }

  void visit(auto&& each) {
    query.visit(each), key.visit(each), value.visit(each), output.visit(each);
    if (query_norm) query_norm->visit(each), key_norm->visit(each);
  }

 private:
  // A norm sees each head as a row of its own.
  Matrix heads_of(Matrix x) const { return reshape(x, x.size() / shape.width, shape.width); }

  Matrix project(Context<B>& ctx, Linear& linear, std::optional<Norm<B>>& head_norm, In<B> x, Index heads,
                 typename Linear::Saved& saved, typename Norm<B>::Saved& saved_norm) {
    const auto projected = keep<Act>(ctx, x.rows(), heads * shape.width);
    linear.forward(ctx, x, into(projected), saved);
    if (!head_norm) return projected;
    const auto normed = keep<Act>(ctx, x.rows(), heads * shape.width);
    head_norm->forward(ctx, heads_of(projected), heads_of(normed), saved_norm);
    return normed;
  }
  void project_backward(Context<B>& ctx, Linear& linear, std::optional<Norm<B>>& head_norm, Matrix dy, Out<B> dx,
                        typename Linear::Saved& saved, typename Norm<B>::Saved& saved_norm) {
    if (!head_norm) return linear.backward(ctx, dy, dx, saved);
    const auto scope = ctx.scope();
    const auto dprojected = scratch<Act>(ctx, dy.rows(), dy.cols());
    head_norm->backward(ctx, heads_of(dy), into(heads_of(dprojected)), saved_norm);
    linear.backward(ctx, dprojected, dx, saved);
  }

  // Where documents share what they begin with, each gets its keys as one stretch of rows; and the way back, where a
  // row has the gradients of all the keys that it made. Scratch of the enclosing scope.
  Matrix spread(Context<B>& ctx, const TokenBatch<B>& batch, Matrix rows) {
    if (batch.key_rows.empty()) return rows;
    const auto keys = scratch<Act>(ctx, batch.key_rows.size(), rows.cols());
    gather_rows(ctx, keys, In<B>(rows), batch.key_rows);
    return keys;
  }
  Matrix gathered(Context<B>& ctx, const TokenBatch<B>& batch, Matrix dkeys) {
    if (batch.key_rows.empty()) return dkeys;
    const auto drows = scratch<Act>(ctx, batch.size(), dkeys.cols());
    zero(ctx, flat(drows));
    scatter_add(ctx, drows, In<B>(dkeys), batch.key_rows);
    return drows;
  }

  // New keys and values go to the end of their sequences' places in the cache, and attention reads the whole of these.
  void remember(Context<B>& ctx, const TokenBatch<B>& batch, Matrix& keys, Matrix& values) {
    const auto at = static_cast<std::size_t>(layer);
    for (const AttentionSpan& s : batch.host_spans) {
      const Index begin = s.key_end - (s.query_end - s.query_begin);
      copy(ctx, batch.cache->keys[at].slice(begin, s.key_end), In<B>(keys.slice(s.query_begin, s.query_end)));
      copy(ctx, batch.cache->values[at].slice(begin, s.key_end), In<B>(values.slice(s.query_begin, s.query_end)));
    }
    keys = batch.cache->keys[at];
    values = batch.cache->values[at];
  }
};

template <class B, class A>
SelfAttention<B, A> self_attention(Builder<B>& build, const A& adapter, const std::string& path, const Config& config,
                                   Index layer) {
  const Index d = config.width, q = config.query_width(), kv = config.kv_width();
  SelfAttention<B, A> attention{
      .query = adapter.template linear<B>(build, path + ".q_proj", {d, q, config.query_bias}),
      .key = adapter.template linear<B>(build, path + ".k_proj", {d, kv, config.query_bias}),
      .value = adapter.template linear<B>(build, path + ".v_proj", {d, kv, config.query_bias}),
      .output = adapter.template linear<B>(build, path + ".o_proj", {q, d, config.output_bias}),
      .query_norm = {},
      .key_norm = {},
      .shape = {.heads = config.heads,
                .kv_heads = config.kv_heads,
                .width = config.head_width,
                .scale = 1 / std::sqrt(static_cast<double>(config.head_width)),
                .window = config.windows[static_cast<std::size_t>(layer)]},
      .layer = layer};
  if (config.query_norm) {
    attention.query_norm = norm(build, adapter, path + ".q_norm", config.head_width, config.norm_epsilon);
    attention.key_norm = norm(build, adapter, path + ".k_norm", config.head_width, config.norm_epsilon);
  }
  return attention;
}

}  // namespace temper
