// SPDX-License-Identifier: MIT
// The token table [V, D]: a row for each id. A tied model's head reads the same table.
#pragma once
#include <optional>

#include "temper/adapter/adapter.hpp"

namespace temper {

template <class B>
struct Embedding {
  DenseMatrix<B> frozen;  // empty where the table is trained
  std::optional<Parameter<B>> trained;

  DenseMatrix<B> table() const { return trained ? DenseMatrix<B>(trained->value) : frozen; }

  void forward(Context<B>& ctx, View<B, const TokenId, 1> tokens, View<B, typename B::Activation, 2> y) const {
    gather(ctx, y, table(), tokens);
  }
  void backward(Context<B>& ctx, In<B> dy, View<B, const TokenId, 1> tokens) {
    if (trained) scatter_add(ctx, trained->gradient, dy, tokens);
  }
  void visit(auto&& each) {
    if (trained) each(*trained);
  }
};

template <class B, class A>
Embedding<B> embedding(Builder<B>& build, const A& adapter, const std::string& path, Index vocabulary, Index width) {
  if (adapter_trains(adapter, path))
    return {.frozen = {}, .trained = build.trained_matrix(path + ".weight", vocabulary, width)};
  return {.frozen = build.frozen_matrix(path + ".weight", vocabulary, width), .trained = {}};
}

}  // namespace temper
