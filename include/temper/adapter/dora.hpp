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
    In<B> x;
    typename LowRank<B>::Saved low_rank;
    View<B, Act, 2> direction;  // (W + s B A) drop(x), which the gradient of m needs: [T, out]
    View<B, Act, 1> factor;     // m / n
  };
  BaseLinear<B> base;
  std::optional<LowRank<B>> low_rank{};  // with m: none where the projection is not a target
  std::optional<Parameter<B>> magnitude{};
  View<B, Act, 1> norms{};  // n, for as long as A and B stay what they are

  // [forward]
  void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) {
    saved.x = x;
    if (!low_rank || !ctx.adapted()) return base.forward(ctx, x, y);
    if (ctx.first_token() == 0)  // once a step: its later micro-batches meet the same weights
      dora_norms(ctx, norms, base.frozen.weight, low_rank->a.value, low_rank->b.value, low_rank->scale);
    saved.factor = keep<Act>(ctx, norms.size());
    dora_factor(ctx, saved.factor, vector_of(*magnitude), norms);
    saved.direction = keep<Act>(ctx, x.rows(), norms.size());
    low_rank->drop(ctx, x, saved.low_rank);
    matmul(ctx, into(saved.direction), saved.low_rank.dropped, base.frozen.weight);
    if (low_rank->drops(ctx)) return forward_dropped(ctx, x, y, saved);
    low_rank->forward_dropped(ctx, onto(saved.direction), saved.low_rank);
    scale_columns(ctx, y, saved.direction, saved.factor);
    base.add_bias(ctx, y.view);
  }
  // [/forward]

  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) {
    if (!low_rank) return base.backward(ctx, dy, dx, saved.x);
    const auto scope = ctx.scope();
    base.bias_backward(ctx, dy);
    dora_magnitude_backward(ctx, onto(flat(magnitude->gradient)), dy, saved.direction, norms);
    const auto dscaled = scratch<Act>(ctx, dy.rows(), dy.cols());
    if (low_rank->drops(ctx)) return backward_dropped(ctx, dy, dx, dscaled, saved);
    scale_columns(ctx, into(dscaled), dy, saved.factor);
    matmul_transposed(ctx, dx, dscaled, base.frozen.weight);
    low_rank->backward_dropped(ctx, dscaled, onto(dx.view), saved.low_rank);
  }

  void visit(auto&& each) {
    base.visit(each);
    if (low_rank) low_rank->visit(each), each(*magnitude);
  }

 private:
  void forward_dropped(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) {
    base.forward(ctx, x, y);
    const auto scope = ctx.scope();
    const auto change = scratch<Act>(ctx, x.rows(), norms.size());
    scale_columns(ctx, onto(y.view), saved.direction, change_of_factor(ctx));
    low_rank->forward_dropped(ctx, into(change), saved.low_rank);
    scale_columns(ctx, onto(y.view), change, saved.factor);
    add(ctx, onto(saved.direction), change);
  }
  void backward_dropped(Context<B>& ctx, In<B> dy, Out<B> dx, View<B, Act, 2> dscaled, Saved& saved) {
    matmul_transposed(ctx, dx, dy, base.frozen.weight);
    const auto ddropped = scratch<Act>(ctx, dy.rows(), saved.x.cols());
    scale_columns(ctx, into(dscaled), dy, change_of_factor(ctx));
    matmul_transposed(ctx, into(ddropped), dscaled, base.frozen.weight);
    scale_columns(ctx, into(dscaled), dy, saved.factor);
    low_rank->backward_dropped(ctx, dscaled, onto(ddropped), saved.low_rank);
    low_rank->drop_backward(ctx, ddropped, onto(dx.view));
  }
  // m / n - 1; scratch of the enclosing scope.
  View<B, Act, 1> change_of_factor(Context<B>& ctx) {
    const auto change = scratch<Act>(ctx, norms.size());
    dora_factor(ctx, change, vector_of(*magnitude), norms, Act(1));
    return change;
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
    return over(build, path, shape, base(build, path, shape));
  }
  template <class B>
  BaseLinear<B> base(Builder<B>& build, std::string_view path, LinearShape shape) const {
    return lora.base(build, path, shape);
  }
  template <class B>
  Linear<B> over(Builder<B>& build, std::string_view path, LinearShape shape, BaseLinear<B> base) const {
    Linear<B> layer{.base = std::move(base), .low_rank = lora.low_rank(build, path, shape)};
    if (!layer.low_rank) return layer;
    layer.norms = build.memory().template allocate<typename B::Activation, 1>(Holder::workspace, {shape.out});
    layer.magnitude = build.parameter(path, "lora_magnitude_vector", {shape.out}, ones);
    // B is zero, so no row of A is needed for the norms: the first step finds the same bits with all of them.
    Arena none = Arena::imaginary();
    Context<B> ctx(build.stream(), none, 0, build.memory().planning() ? Execution::planning : Execution::running);
    dora_norms(ctx, layer.norms, layer.base.frozen.weight, layer.low_rank->a.value.slice(0, 0),
               reshape(layer.low_rank->b.value, shape.out, 0), layer.low_rank->scale);
    copy(ctx, layer.magnitude->value, reshape(layer.norms, 1, shape.out));
    return layer;
  }
};

template <class Storage, class From>
Dora<Storage> on(Storage storage, const Dora<From>& dora) {
  return {on(std::move(storage), dora.lora)};
}

}  // namespace temper
