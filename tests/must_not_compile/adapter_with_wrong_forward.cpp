// SPDX-License-Identifier: MIT
// expects: temper: this adapter's Linear needs 'void forward(Context<B>&, In<B> x, Out<B> y, Saved&)'
// A forward pass that does not take what it has to fill.
#include "temper/adapter/adapter.hpp"
#include "temper/backend/cpu/memory.hpp"

using namespace temper;

struct Wrong {
  template <class B>
  struct Linear {
    struct Saved {};
#ifndef TEMPER_WRONG
    void forward(Context<B>&, In<B>, Out<B>, Saved&) {}
#else
    void forward(Context<B>&, In<B>, Saved&) {}
#endif
    void backward(Context<B>&, In<B>, Out<B>, Saved&) {}
    void visit(auto&&) {}
  };
  template <class B>
  Linear<B> linear(Builder<B>&, std::string_view, LinearShape) const {
    return {};
  }
};

static_assert(check_adapter<Wrong, Cpu<float>>());
