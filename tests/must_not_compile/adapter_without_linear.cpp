// SPDX-License-Identifier: MIT
// expects: temper: this adapter does not say what a linear layer is; add
// An adapter has to name the layer that stands for a projection.
#include "temper/adapter/adapter.hpp"
#include "temper/backend/cpu/memory.hpp"

using namespace temper;

struct Wrong {
#ifndef TEMPER_WRONG
  template <class B>
  struct Linear {
    struct Saved {};
    void forward(Context<B>&, In<B>, Out<B>, Saved&) {}
    void backward(Context<B>&, In<B>, Out<B>, Saved&) {}
    void visit(auto&&) {}
  };
  template <class B>
  Linear<B> linear(Builder<B>&, std::string_view, LinearShape) const {
    return {};
  }
#endif
};

static_assert(check_adapter<Wrong, Cpu<float>>());
