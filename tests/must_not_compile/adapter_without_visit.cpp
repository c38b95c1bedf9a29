// SPDX-License-Identifier: MIT
// expects: temper: this adapter's Linear needs 'void visit(auto&& each)'
// A linear layer has to show what it trains.
#include "temper/adapter/adapter.hpp"
#include "temper/backend/cpu/memory.hpp"

using namespace temper;

struct Wrong {
  template <class B>
  struct Linear {
    struct Saved {};
    void forward(Context<B>&, In<B>, Out<B>, Saved&) {}
    void backward(Context<B>&, In<B>, Out<B>, Saved&) {}
#ifndef TEMPER_WRONG
    void visit(auto&&) {}
#endif
  };
  template <class B>
  Linear<B> linear(Builder<B>&, std::string_view, LinearShape) const {
    return {};
  }
};

static_assert(check_adapter<Wrong, Cpu<float>>());
