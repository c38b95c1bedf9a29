// SPDX-License-Identifier: MIT
// Nothing is trained: the base model as it is, to generate from, to evaluate, or to hold a trained one against.
#pragma once
#include "temper/adapter/adapter.hpp"
#include "temper/storage/storage.hpp"

namespace temper {

template <class Storage = Dense>
struct FrozenOn {
  Storage storage = {};

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
    static_assert(check_storage<Storage, B>());
    return {build.frozen(path, shape, storage)};
  }
  void check_names(const ModuleNames& modules) const { check_storage_names(storage, modules); }
};

using Frozen = FrozenOn<>;

}  // namespace temper
