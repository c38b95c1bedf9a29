// SPDX-License-Identifier: MIT
// expects: temper: this storage has no name; add
// A storage has to say what it is called.
#include "temper/backend/cpu/memory.hpp"
#include "temper/storage/storage.hpp"

using namespace temper;

struct Wrong {
#ifndef TEMPER_WRONG
  static constexpr std::string_view name = "wrong";
#endif
  template <class B>
  WeightMatrix<B> matrix(Builder<B>&, std::string_view, Index, Index) const {
    return {};
  }
};

static_assert(check_storage<Wrong, Cpu<float>>());
