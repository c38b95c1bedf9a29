// SPDX-License-Identifier: MIT
// expects: temper: this storage needs 'template <class B> WeightMatrix<B> matrix(Builder<B>&
// An adapter on a storage that makes no matrix.
#include "temper/adapter/lora.hpp"
#include "temper/backend/cpu/linear.hpp"

using namespace temper;

struct Wrong {
  static constexpr std::string_view name = "wrong";
#ifdef TEMPER_WRONG
  int matrix(Index, Index) const { return 0; }
#else
  template <class B>
  WeightMatrix<B> matrix(Builder<B>&, std::string_view, Index, Index) const {
    return {};
  }
#endif
};

static_assert(check_storage<Wrong, Cpu<float>>());
