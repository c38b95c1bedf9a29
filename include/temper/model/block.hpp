// SPDX-License-Identifier: MIT
// One block on the residual stream: x += attention(norm(x)), then x += feed_forward(norm(x)). Each sum is a new view,
// since the norms' backward needs the stream as it was.
#pragma once
#include "temper/model/attention.hpp"
#include "temper/model/feed_forward.hpp"
#include "temper/model/finite.hpp"

namespace temper {

template <class B, class A>
struct Block {
  using Act = typename B::Activation;
  struct Saved {
    typename Norm<B>::Saved attention_norm, feed_forward_norm;
    typename SelfAttention<B, A>::Saved attention;
    typename FeedForward<B, A>::Saved feed_forward;
  };
  std::string path;  // model.layers.3
  Norm<B> attention_norm, feed_forward_norm;
  SelfAttention<B, A> attention;
  FeedForward<B, A> feed_forward;

  // y = the stream after this block; x stays as it is.
  // [forward]
  void forward(Context<B>& ctx, In<B> x, View<B, Act, 2> y, const TokenBatch<B>& batch, Saved& saved) {
    const auto normed = keep<Act>(ctx, x.rows(), x.cols());
    attention_norm.forward(ctx, x, normed, saved.attention_norm);
    const auto middle = keep<Act>(ctx, x.rows(), x.cols());
    copy(ctx, middle, x);
    attention.forward(ctx, normed, onto(middle), batch, saved.attention);
    check_finite(ctx, In<B>(middle), path, "self_attn");

    const auto normed_again = keep<Act>(ctx, x.rows(), x.cols());
    feed_forward_norm.forward(ctx, middle, normed_again, saved.feed_forward_norm);
    copy(ctx, y, In<B>(middle));
    feed_forward.forward(ctx, normed_again, onto(y), saved.feed_forward);
    check_finite(ctx, In<B>(y), path, "mlp");
  }
  // [/forward]

  // The gradient of the stream, in place: from that of y to that of x.
  void backward(Context<B>& ctx, View<B, Act, 2> dstream, const TokenBatch<B>& batch, Saved& saved) {
    const auto scope = ctx.scope();
    const auto dnormed = scratch<Act>(ctx, dstream.rows(), dstream.cols());
    feed_forward.backward(ctx, dstream, into(dnormed), saved.feed_forward);
    feed_forward_norm.backward(ctx, dnormed, onto(dstream), saved.feed_forward_norm);
    attention.backward(ctx, dstream, into(dnormed), batch, saved.attention);
    attention_norm.backward(ctx, dnormed, onto(dstream), saved.attention_norm);
  }

  void visit(auto&& each) {
    attention_norm.visit(each), attention.visit(each);
    feed_forward_norm.visit(each), feed_forward.visit(each);
  }
};

template <class B, class A>
Block<B, A> block(Builder<B>& build, const A& adapter, const std::string& path, const Config& config, Index layer) {
  return {
      .path = path,
      .attention_norm = norm(build, adapter, path + ".input_layernorm", config.width, config.norm_epsilon),
      .feed_forward_norm = norm(build, adapter, path + ".post_attention_layernorm", config.width, config.norm_epsilon),
      .attention = self_attention(build, adapter, path + ".self_attn", config, layer),
      .feed_forward = feed_forward(build, adapter, path + ".mlp", config)};
}

}  // namespace temper
