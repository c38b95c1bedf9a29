// SPDX-License-Identifier: MIT
// expects: temper: this adapter's Linear does not say what backward needs; add 'struct Saved'
// A linear layer has to say what it remembers for backward.
#include "temper/adapter/adapter.hpp"
#include "temper/backend/cpu/memory.hpp"

using namespace temper;

struct Wrong {
  template <class B>
  struct Linear {
#ifndef TEMPER_WRONG
    struct Saved {};
#endif
    void forward(Context<B>&, In<B>, Out<B>, auto&) {}
    void backward(Context<B>&, In<B>, Out<B>, auto&) {}
    void visit(auto&&) {}
  };
  template <class B>
  Linear<B> linear(Builder<B>&, std::string_view, LinearShape) const {
    return {};
  }
};

static_assert(check_adapter<Wrong, Cpu<float>>());
