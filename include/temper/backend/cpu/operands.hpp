// SPDX-License-Identifier: MIT
// How operations on the CPU spell their arguments. None of these names deduces Real - only the context does - so that a
// writable view may be passed where a readable one is wanted.
#pragma once
#include <type_traits>

#include "temper/backend/cpu/memory.hpp"
#include "temper/core/context.hpp"
#include "temper/core/view.hpp"
#include "temper/storage/dense.hpp"

namespace temper {

template <class Real>
using InMatrix = std::type_identity_t<View<Cpu<Real>, const Real, 2>>;
template <class Real>
using InVector = std::type_identity_t<View<Cpu<Real>, const Real, 1>>;
template <class Real>
using OutMatrix = std::type_identity_t<View<Cpu<Real>, Real, 2>>;
template <class Real>
using OutVector = std::type_identity_t<View<Cpu<Real>, Real, 1>>;
template <class Real>
using TargetMatrix = std::type_identity_t<Target<Cpu<Real>, Real, 2>>;
template <class Real>
using TargetVector = std::type_identity_t<Target<Cpu<Real>, Real, 1>>;
template <class Real>
using InWeight = std::type_identity_t<DenseMatrix<Cpu<Real>>>;
template <class Real, class T>
using InList = std::type_identity_t<View<Cpu<Real>, const T, 1>>;
template <class Real, class T>
using OutList = std::type_identity_t<View<Cpu<Real>, T, 1>>;

// The least that must cross the memory bus.
template <class... Views>
double bytes_of_all(const Views&... views) {
  return (static_cast<double>(views.bytes()) + ... + 0.0);
}

}  // namespace temper
