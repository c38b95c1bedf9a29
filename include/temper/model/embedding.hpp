// SPDX-License-Identifier: MIT
// The token table [V, D]: a row for each id. A tied model's head reads the same table.
#pragma once
#include <optional>

#include "temper/adapter/adapter.hpp"

namespace temper {

template <class B>
struct Embedding {
  DenseMatrix<B> frozen;  // empty where the table is trained (and its base not kept)
  std::optional<Parameter<B>> trained;

  DenseMatrix<B> table(Adapters adapters) const {
    return trained && adapters == Adapters::on ? trained->matrix() : frozen;
  }

  void forward(Context<B>& ctx, View<B, const TokenId, 1> tokens, View<B, typename B::Activation, 2> y) const {
    gather(ctx, y, table(ctx.adapters()), tokens);
  }
  void backward(Context<B>& ctx, In<B> dy, View<B, const TokenId, 1> tokens) {
    if (!trained) return;
    const auto scope = ctx.scope();
    const auto gradient = gradient_of(ctx, *trained);
    scatter_add(ctx, gradient, dy, tokens);
    gradient_is_whole(ctx, *trained, gradient);
  }
  void visit(auto&& each) {
    if (trained) each(*trained);
  }
};

// The gradient of a table that is the head too comes from two places, so it is held (Builder::held_gradients).
template <class B, class A>
Embedding<B> embedding(Builder<B>& build, const A& adapter, const std::string& path, Index vocabulary, Index width,
                       GradientForm gradient = {}) {
  Embedding<B> layer;
  const bool trains = adapter_trains(adapter, path);
  if (trains) layer.trained = build.trained_matrix(path + ".weight", vocabulary, width, gradient);
  if (!trains || build.keeps_base()) layer.frozen = build.frozen_matrix(path + ".weight", vocabulary, width);
  return layer;
}

}  // namespace temper
