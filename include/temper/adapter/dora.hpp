// SPDX-License-Identifier: MIT
// DoRA (Liu et al. 2024): the weight is cut into a direction, which LoRA changes, and a magnitude m [out], learned too:
//
//   y = (m / n) (W + s B A) x + b        n[o] = ||W[o] + s B[o] A||, in backward a constant
//
// m starts as n, so that m / n is 1. Dropout is PEFT's: y = W x + b + (m / n - 1) W drop(x) + (m / n) s B A drop(x).
#pragma once
#include "temper/adapter/lora.hpp"

namespace temper {

template <class B>
struct DoraLinear {
  using Act = typename B::Activation;
  struct Saved {
    In<B> x, dropped;
    View<B, Act, 2> xa;         // drop(x) A^T: [T, R]
    View<B, Act, 2> direction;  // drop(x) (W + s B A)^T, which the gradient of m needs: [T, out]
    View<B, Act, 1> factor;     // m / n
  };
  BaseLinear<B> base;
  std::optional<Parameter<B>> a{}, b{}, magnitude{};  // none where the projection is not a target
  View<B, Act, 1> norms{};                            // n, for as long as A and B stay what they are
  Act scale = 0;
  double drop_probability = 0;
  std::uint32_t site = 0;  // of the dropout's random numbers

  // [forward]
  void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) {
    saved.x = saved.dropped = x;
    if (!a || !ctx.adapted()) return base.forward(ctx, x, y);
    if (ctx.first_token() == 0)  // once a step: its later micro-batches meet the same weights
      dora_norms(ctx, norms, base.frozen.weight, a->value, b->value, scale);
    saved.factor = keep<Act>(ctx, norms.size());
    dora_factor(ctx, saved.factor, vector_of(*magnitude), norms);
    saved.xa = keep<Act>(ctx, x.rows(), a->value.rows());
    saved.direction = keep<Act>(ctx, x.rows(), norms.size());
    if (drops(ctx)) return forward_dropped(ctx, x, y, saved);
    matmul(ctx, into(saved.direction), x, base.frozen.weight);
    add_low_rank(ctx, onto(saved.direction), saved);
    scale_columns(ctx, y, saved.direction, saved.factor);
    base.add_bias(ctx, y.view);
  }
  // [/forward]

  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) {
    if (!a) return base.backward(ctx, dy, dx, saved.x);
    const auto scope = ctx.scope();
    base.bias_backward(ctx, dy);
    dora_magnitude_backward(ctx, onto(flat(magnitude->gradient)), dy, saved.direction, norms);
    const auto dscaled = scratch<Act>(ctx, dy.rows(), dy.cols());
    const auto dxa = scratch<Act>(ctx, dy.rows(), a->value.rows());
    scale_columns(ctx, into(dscaled), dy, saved.factor);
    matmul_transposed(ctx, into(dxa), dscaled, DenseMatrix<B>(b->value), scale);
    matmul_outer(ctx, onto(b->gradient), dscaled, saved.xa, scale);
    matmul_outer(ctx, onto(a->gradient), dxa, saved.dropped);
    matmul_transposed(ctx, dx, drops(ctx) ? dy : In<B>(dscaled), base.frozen.weight);
    if (!drops(ctx)) return matmul_transposed(ctx, onto(dx.view), dxa, DenseMatrix<B>(a->value));
    const auto ddropped = scratch<Act>(ctx, dy.rows(), saved.x.cols());
    scale_columns(ctx, into(dscaled), dy, change_of_factor(ctx));
    matmul_transposed(ctx, into(ddropped), dscaled, base.frozen.weight);
    matmul_transposed(ctx, onto(ddropped), dxa, DenseMatrix<B>(a->value));
    dropout(ctx, ddropped, ddropped, drop_probability, ctx.random(site), ctx.first_token());
    add(ctx, onto(dx.view), ddropped);
  }

  void visit(auto&& each) {
    base.visit(each);
    if (a) each(*a), each(*b), each(*magnitude);
  }

 private:
  bool drops(const Context<B>& ctx) const { return drop_probability > 0 && ctx.training(); }

  void add_low_rank(Context<B>& ctx, Out<B> y, Saved& saved) {
    matmul(ctx, into(saved.xa), saved.dropped, DenseMatrix<B>(a->value));
    matmul(ctx, y, saved.xa, DenseMatrix<B>(b->value), scale);
  }
  // m / n - 1; scratch of the enclosing scope.
  View<B, Act, 1> change_of_factor(Context<B>& ctx) {
    const auto change = scratch<Act>(ctx, norms.size());
    dora_factor(ctx, change, vector_of(*magnitude), norms, Act(1));
    return change;
  }
  void forward_dropped(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) {
    const auto dropped = keep<Act>(ctx, x.rows(), x.cols());
    dropout(ctx, dropped, x, drop_probability, ctx.random(site), ctx.first_token());
    saved.dropped = dropped;
    base.forward(ctx, x, y);
    const auto scope = ctx.scope();
    const auto low_rank = scratch<Act>(ctx, x.rows(), norms.size());
    matmul(ctx, into(saved.direction), dropped, base.frozen.weight);
    scale_columns(ctx, onto(y.view), saved.direction, change_of_factor(ctx));
    add_low_rank(ctx, into(low_rank), saved);
    scale_columns(ctx, onto(y.view), low_rank, saved.factor);
    add(ctx, onto(saved.direction), low_rank);
  }
};

template <class Storage = Dense>
struct Dora {
  Lora<Storage> lora = {};  // of the direction

  bool adapts(std::string_view path) const { return lora.adapts(path); }
  bool trains(std::string_view path) const { return lora.trains(path); }
  void check_names(const ModuleNames& modules) const { lora.check_names(modules); }

  template <class B>
  using Linear = DoraLinear<B>;

  template <class B>
  Linear<B> linear(Builder<B>& build, std::string_view path, LinearShape shape) const {
    auto direction = lora.linear(build, path, shape);
    Linear<B> layer{.base = std::move(direction.base)};
    if (!direction.a) return layer;
    layer.a = std::move(direction.a), layer.b = std::move(direction.b);
    layer.scale = direction.scale;
    layer.drop_probability = direction.drop_probability, layer.site = direction.site;
    layer.norms = build.memory().template allocate<typename B::Activation, 1>(Holder::workspace, {shape.out});
    layer.magnitude = build.parameter(path, "lora_magnitude_vector", {shape.out}, ones);
    // B is zero, so no row of A is needed for the norms: the first step finds the same bits with all of them.
    Arena none = Arena::imaginary();
    Context<B> ctx(build.stream(), none, 0, build.memory().planning() ? Execution::planning : Execution::running);
    dora_norms(ctx, layer.norms, layer.base.frozen.weight, layer.a->value.slice(0, 0),
               reshape(layer.b->value, shape.out, 0), layer.scale);
    copy(ctx, layer.magnitude->value, reshape(layer.norms, 1, shape.out));
    return layer;
  }
};

template <class Storage, class From>
Dora<Storage> on(Storage storage, const Dora<From>& dora) {
  return {on(std::move(storage), dora.lora)};
}

}  // namespace temper
