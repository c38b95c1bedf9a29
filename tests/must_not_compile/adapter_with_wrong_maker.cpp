// SPDX-License-Identifier: MIT
// expects: temper: this adapter needs 'template <class B> Linear<B> linear(Builder<B>&, std::string_view path,
// LinearShape) const' A maker that is not told which projection it makes.
#include "temper/adapter/adapter.hpp"
#include "temper/backend/cpu/memory.hpp"

using namespace temper;

struct Wrong {
  template <class B>
  struct Linear {
    struct Saved {};
    void forward(Context<B>&, In<B>, Out<B>, Saved&) {}
    void backward(Context<B>&, In<B>, Out<B>, Saved&) {}
    void visit(auto&&) {}
  };
#ifndef TEMPER_WRONG
  template <class B>
  Linear<B> linear(Builder<B>&, std::string_view, LinearShape) const {
    return {};
  }
#else
  template <class B>
  Linear<B> linear(Builder<B>&, LinearShape) const {
    return {};
  }
#endif
};

static_assert(check_adapter<Wrong, Cpu<float>>());
