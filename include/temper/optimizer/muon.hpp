// SPDX-License-Identifier: MIT
// Muon (Jordan et al. 2024) as torch.optim.Muon: a matrix follows its averaged gradient with all singular values
// brought near 1 by five Newton-Schulz iterations; vectors, which have no singular values, follow AdamW. Where torch
// rounds the iterations to bfloat16, they are in the backend's own precision here.
#pragma once
#include <algorithm>
#include <cmath>
#include <utility>

#include "temper/optimizer/adamw.hpp"

namespace temper {

struct Muon {
  // What a matrix's rate is multiplied with: torch's "original", sqrt(max(1, rows / columns)), or "match_rms_adamw"
  // (Liu et al. 2025), 0.2 sqrt(max(rows, columns)), with which the rates of AdamW serve both.
  enum class Size { original, like_adamw };

  double momentum = 0.95;
  Momentum kind = Momentum::nesterov;
  Size size = Size::original;
  AdamW vectors{};  // its weight_decay is the matrices' too

  static constexpr Quintic quintic{3.4445, -4.7750, 2.0315};
  static constexpr int iterations = 5;
  static constexpr double smallest_norm = 1e-7;

  template <class B>
  struct State {
    View<B, typename B::Activation, 1> momentum;  // of a matrix; empty without momentum
    AdamW::State<B> vector;
    void visit(auto&& each) {
      if (!vector.first.empty()) return vector.visit(each);
      if (!momentum.empty()) each("momentum", momentum);
    }
  };

  template <class B>
  State<B> state(Memory<B>& memory, const Parameter<B>& p) const {
    State<B> state;
    if (!p.is_matrix())
      state.vector = vectors.state(memory, p);
    else if (momentum != 0)
      state.momentum = memory.template allocate<typename B::Activation, 1>(Holder::optimizer, {p.size()});
    return state;
  }

  // [update]
  template <class B>
  void update(Context<B>& ctx, Parameter<B>& p, State<B>& state, StepInfo step) const {
    using Act = typename B::Activation;
    if (!p.is_matrix()) return vectors.update(ctx, p, state.vector, step);
    const auto scope = ctx.scope();
    auto x = scratch<Act>(ctx, p.value.rows(), p.value.cols());
    averaged_gradient(ctx, flat(x), View<B, const Act, 1>(flat(p.gradient)), state.momentum, momentum, kind,
                      step.gradient_scale);
    x = orthogonalized(ctx, x);
    const double rate = step.rate * p.rate_scale;
    blend(ctx, flat(p.value), 1 - rate * vectors.weight_decay, View<B, const Act, 1>(flat(x)),
          -rate * size_of(x.rows(), x.cols()));
  }
  // [/update]

 private:
  double size_of(Index rows, Index cols) const {
    const double tall = static_cast<double>(rows), wide = static_cast<double>(cols);
    return size == Size::original ? std::sqrt(std::max(1.0, tall / wide)) : 0.2 * std::sqrt(std::max(tall, wide));
  }

  // x <- (a I + b G + c G^2) x with G = x x^T, five times; of a tall matrix G = x^T x, from the right. The result lies
  // in one of two scratch matrices, of which x is one.
  template <class B, class Act>
  static View<B, Act, 2> orthogonalized(Context<B>& ctx, View<B, Act, 2> x) {
    const double norm = std::sqrt(sum_of_squares(ctx, View<B, const Act, 1>(flat(x))));
    blend(ctx, flat(x), 1 / std::max(norm, smallest_norm), View<B, const Act, 1>(flat(x)), 0);
    const bool tall = x.rows() > x.cols();
    const Index side = std::min(x.rows(), x.cols());
    auto next = scratch<Act>(ctx, x.rows(), x.cols());
    const auto gram = scratch<Act>(ctx, side, side), factor = scratch<Act>(ctx, side, side);
    for (int i = 0; i < iterations; ++i) {
      if (tall)
        matmul_outer(ctx, into(gram), x, x);
      else
        matmul(ctx, into(gram), x, x);
      matmul(ctx, into(factor), gram, gram);  // G^T is G
      combine(ctx, factor, gram, quintic);
      if (tall)
        matmul_transposed(ctx, into(next), x, factor);
      else
        matmul_transposed(ctx, into(next), factor, x);
      std::swap(x, next);
    }
    return x;
  }
};

}  // namespace temper
