// SPDX-License-Identifier: MIT
// y = x W^T + b, where each of W and b is frozen or trained: the layer that Full is, and that Lora stands on.
#pragma once
#include <optional>
#include <string>

#include "temper/storage/storage.hpp"

namespace temper {

enum class Trains { nothing, weight, bias, weight_and_bias };

template <class B>
struct BaseLinear {
  using Act = typename B::Activation;
  FrozenLinear<B> frozen;  // what is not trained, and with Base::kept also what trained values began as
  std::optional<Parameter<B>> weight, bias;

  void forward(Context<B>& ctx, In<B> x, Out<B> y) const {
    if (weight && ctx.adapted())
      matmul(ctx, y, x, weight->matrix());
    else
      matmul(ctx, y, x, frozen.weight);
    add_bias(ctx, y.view);
  }
  void add_bias(Context<B>& ctx, View<B, Act, 2> y) const {
    if (bias && ctx.adapted())
      add_row(ctx, y, vector_of(*bias));
    else if (!frozen.bias.empty())
      add_row(ctx, y, frozen.bias);
  }
  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, In<B> x) {
    bias_backward(ctx, dy);
    if (weight) {
      const auto scope = ctx.scope();
      const auto gradient = gradient_of(ctx, *weight);
      matmul_outer(ctx, gradient, dy, x);
      matmul_transposed(ctx, dx, dy, weight->matrix());
      gradient_is_whole(ctx, *weight, gradient);
    } else {
      matmul_transposed(ctx, dx, dy, frozen.weight);
    }
  }
  void bias_backward(Context<B>& ctx, In<B> dy) {
    if (bias) sum_rows(ctx, onto(flat(bias->gradient)), dy);
  }
  void visit(auto&& each) {
    if (weight) each(*weight);
    if (bias) each(*bias);
  }
};

// 'storage' holds the weight where it is not trained.
template <class B, class Storage = Dense>
BaseLinear<B> base_linear(Builder<B>& build, std::string_view path, LinearShape shape, Trains trains,
                          const Storage& storage = {}) {
  static_assert(check_storage<Storage, B>());
  const std::string name(path);
  BaseLinear<B> layer;
  const bool trains_weight = trains == Trains::weight || trains == Trains::weight_and_bias;
  const bool trains_bias = trains == Trains::bias || trains == Trains::weight_and_bias;
  if (trains_weight) layer.weight = build.trained_matrix(name + ".weight", shape.out, shape.in, build.gradients());
  if (!trains_weight || build.keeps_base()) layer.frozen.weight = storage.matrix(build, path, shape.out, shape.in);
  if (!shape.bias) return layer;
  if (trains_bias) layer.bias = build.trained(name + ".bias", {shape.out}, zeros);
  if (!trains_bias || build.keeps_base()) layer.frozen.bias = build.frozen_vector(name + ".bias", shape.out, zeros);
  return layer;
}

}  // namespace temper
