// SPDX-License-Identifier: MIT
// y = s B A drop(x), with A [R, in] and B [out, R] trained: what LoRA adds to a projection, and what DoRA adds to its
// direction. B starts at zero, and so does y.
#pragma once
#include "temper/core/layer.hpp"

namespace temper {

template <class B>
struct LowRank {
  using Act = typename B::Activation;
  struct Saved {
    In<B> dropped;       // drop(x)
    View<B, Act, 2> ax;  // A drop(x), which the gradient of B needs: [T, R]
  };
  Parameter<B> a, b;
  Act scale = 1;
  double drop_probability = 0;
  std::uint32_t site = 0;  // of the dropout's random numbers

  // [forward]
  void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) {
    drop(ctx, x, saved);
    forward_dropped(ctx, y, saved);
  }
  void forward_dropped(Context<B>& ctx, Out<B> y, Saved& saved) {
    saved.ax = keep<Act>(ctx, y.view.rows(), a.value.rows());
    matmul(ctx, into(saved.ax), saved.dropped, DenseMatrix<B>(a.value));
    matmul(ctx, y, saved.ax, DenseMatrix<B>(b.value), scale);
  }
  // [/forward]

  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) {
    if (!drops(ctx)) return backward_dropped(ctx, dy, dx, saved);
    const auto scope = ctx.scope();
    const auto ddropped = scratch<Act>(ctx, dy.rows(), a.value.cols());
    backward_dropped(ctx, dy, into(ddropped), saved);
    drop_backward(ctx, ddropped, dx);
  }
  void backward_dropped(Context<B>& ctx, In<B> dy, Out<B> ddropped, Saved& saved) {
    const auto scope = ctx.scope();
    const auto dax = scratch<Act>(ctx, dy.rows(), a.value.rows());
    matmul_transposed(ctx, into(dax), dy, DenseMatrix<B>(b.value), scale);
    matmul_outer(ctx, onto(b.gradient), dy, saved.ax, scale);
    matmul_outer(ctx, onto(a.gradient), dax, saved.dropped);
    matmul_transposed(ctx, ddropped, dax, DenseMatrix<B>(a.value));
  }
  void visit(auto&& each) { each(a), each(b); }

  bool drops(const Context<B>& ctx) const { return drop_probability > 0 && ctx.training(); }

  void drop(Context<B>& ctx, In<B> x, Saved& saved) {
    saved.dropped = x;
    if (!drops(ctx)) return;
    const auto dropped = keep<Act>(ctx, x.rows(), x.cols());
    dropout(ctx, dropped, x, drop_probability, ctx.random(site), ctx.first_token());
    saved.dropped = dropped;
  }
  // The gradient of drop(x) is used as workspace.
  void drop_backward(Context<B>& ctx, View<B, Act, 2> ddropped, Out<B> dx) {
    dropout(ctx, ddropped, ddropped, drop_probability, ctx.random(site), ctx.first_token());
    add(ctx, dx, In<B>(ddropped));
  }
};

}  // namespace temper
