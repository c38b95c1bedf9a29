// SPDX-License-Identifier: MIT
// Root-mean-square norm (Zhang and Sennrich 2019): y = x / sqrt(mean(x^2) + eps) * w, row by row.
#pragma once
#include <optional>

#include "temper/adapter/adapter.hpp"

namespace temper {

template <class B>
struct Norm {
  using Act = typename B::Activation;
  struct Saved {
    In<B> x;
    View<B, Act, 1> inverse;  // 1 / sqrt(mean(x^2) + eps) of each row
  };
  View<B, const Act, 1> frozen{};  // [D], or empty where it is trained (and its base not kept)
  std::optional<Parameter<B>> trained{};
  Act epsilon = 0;

  View<B, const Act, 1> weight(const Context<B>& ctx) const {
    return trained && ctx.adapted() ? vector_of(*trained) : frozen;
  }

  void forward(Context<B>& ctx, In<B> x, View<B, Act, 2> y, Saved& saved) const {
    saved = {x, keep<Act>(ctx, x.rows())};
    rms_norm(ctx, y, saved.inverse, x, weight(ctx), epsilon);
  }
  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) {
    if (trained) rms_norm_weight_backward(ctx, onto(flat(trained->gradient)), dy, saved.x, saved.inverse);
    rms_norm_backward(ctx, dx, dy, saved.x, weight(ctx), saved.inverse);
  }
  void visit(auto&& each) {
    if (trained) each(*trained);
  }
};

template <class B, class A>
Norm<B> norm(Builder<B>& build, const A& adapter, const std::string& path, Index width, double epsilon) {
  Norm<B> layer{.epsilon = static_cast<typename B::Activation>(epsilon)};
  const bool trains = adapter_trains(adapter, path);
  if (trains) layer.trained = build.trained(path + ".weight", {width}, ones);
  if (!trains || build.keeps_base()) layer.frozen = build.frozen_vector(path + ".weight", width, ones);
  return layer;
}

}  // namespace temper
