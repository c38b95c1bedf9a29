// SPDX-License-Identifier: MIT
// expects: temper: this adapter's Linear needs 'void backward(Context<B>&, In<B> dy, Out<B> dx, Saved&)'
// A backward pass that returns its result instead of writing it.
#include "temper/adapter/adapter.hpp"
#include "temper/backend/cpu/memory.hpp"

using namespace temper;

struct Wrong {
  template <class B>
  struct Linear {
    struct Saved {};
    void forward(Context<B>&, In<B>, Out<B>, Saved&) {}
#ifndef TEMPER_WRONG
    void backward(Context<B>&, In<B>, Out<B>, Saved&) {}
#else
    In<B> backward(Context<B>&, In<B> dy, Out<B>, Saved&) { return dy; }
#endif
    void visit(auto&&) {}
  };
  template <class B>
  Linear<B> linear(Builder<B>&, std::string_view, LinearShape) const {
    return {};
  }
};

static_assert(check_adapter<Wrong, Cpu<float>>());
