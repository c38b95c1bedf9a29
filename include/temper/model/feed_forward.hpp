// SPDX-License-Identifier: MIT
// The gated feed-forward layer (Shazeer 2020): y = down(silu(gate(x)) * up(x)).
#pragma once
#include "temper/adapter/adapter.hpp"
#include "temper/model/config.hpp"

namespace temper {

template <class B, class A>
struct FeedForward {
  using Act = typename B::Activation;
  using Linear = typename A::template Linear<B>;
  struct Saved {
    typename Linear::Saved gate, up, down;
    View<B, Act, 2> gated, lifted, product;  // gate(x), up(x), silu(gate(x)) * up(x): [T, F]
  };
  Linear gate, up, down;
  Index width = 0;  // F

  // [passes]
  void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) {
    saved.gated = keep<Act>(ctx, x.rows(), width);
    saved.lifted = keep<Act>(ctx, x.rows(), width);
    saved.product = keep<Act>(ctx, x.rows(), width);
    gate.forward(ctx, x, into(saved.gated), saved.gate);
    up.forward(ctx, x, into(saved.lifted), saved.up);
    swiglu(ctx, saved.product, In<B>(saved.gated), In<B>(saved.lifted));
    down.forward(ctx, saved.product, y, saved.down);
  }
  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) {
    const auto scope = ctx.scope();
    const auto dproduct = scratch<Act>(ctx, dy.rows(), width);
    const auto dgated = scratch<Act>(ctx, dy.rows(), width);
    const auto dlifted = scratch<Act>(ctx, dy.rows(), width);
    down.backward(ctx, dy, into(dproduct), saved.down);
    swiglu_backward(ctx, dgated, dlifted, In<B>(dproduct), In<B>(saved.gated), In<B>(saved.lifted));
    up.backward(ctx, dlifted, dx, saved.up);
    gate.backward(ctx, dgated, onto(dx.view), saved.gate);
  }
  void visit(auto&& each) { gate.visit(each), up.visit(each), down.visit(each); }
  // [/passes]
};

template <class B, class A>
FeedForward<B, A> feed_forward(Builder<B>& build, const A& adapter, const std::string& path, const Config& config) {
  const Index d = config.width, f = config.feed_forward;
  const bool bias = config.feed_forward_bias;
  return {.gate = adapter.template linear<B>(build, path + ".gate_proj", {d, f, bias}),
          .up = adapter.template linear<B>(build, path + ".up_proj", {d, f, bias}),
          .down = adapter.template linear<B>(build, path + ".down_proj", {f, d, bias}),
          .width = f};
}

}  // namespace temper
