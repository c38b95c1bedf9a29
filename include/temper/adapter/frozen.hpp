// SPDX-License-Identifier: MIT
// Nothing is trained: the base model as it is, to generate from, to evaluate, or to hold a trained one against.
#pragma once
#include "temper/adapter/adapter.hpp"

namespace temper {

struct Frozen {
  template <class B>
  struct Linear {
    struct Saved {};
    FrozenLinear<B> base;

    void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved&) { base.forward(ctx, x, y); }
    void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved&) { base.backward(ctx, dy, dx); }
    void visit(auto&&) {}
  };

  template <class B>
  Linear<B> linear(Builder<B>& build, std::string_view path, LinearShape shape) const {
    return {build.frozen(path, shape)};
  }
};

}  // namespace temper
