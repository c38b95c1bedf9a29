// SPDX-License-Identifier: MIT
// How operations on the CPU spell their arguments. None of these names deduces Real - only the context does - so that a
// writable view may be passed where a readable one is wanted.
#pragma once
#include <type_traits>

#include "temper/backend/cpu/math.hpp"
#include "temper/backend/cpu/memory.hpp"
#include "temper/core/context.hpp"
#include "temper/core/view.hpp"
#include "temper/storage/weight_matrix.hpp"

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
using OntoGradient = std::type_identity_t<Gradient<Cpu<Real>>>;
template <class Real>
using InWeight = std::type_identity_t<WeightMatrix<Cpu<Real>>>;
template <class Real>
using InTable = std::type_identity_t<DenseMatrix<Cpu<Real>>>;
template <class Real, class T>
using InList = std::type_identity_t<View<Cpu<Real>, const T, 1>>;
template <class Real, class T>
using OutList = std::type_identity_t<View<Cpu<Real>, T, 1>>;

// The least that must cross the memory bus.
template <class... Views>
double bytes_of_all(const Views&... views) {
  return (static_cast<double>(views.bytes()) + ... + 0.0);
}

// Calls work(begin, end) for stretches of [0, count).
template <class Real, class Work>
void over_elements(Context<Cpu<Real>>& ctx, Index count, Work work) {
  const Pieces pieces = Pieces::of_elements(count);
  ctx.stream().parallel(pieces.count(), [&](Index piece, int) { work(pieces.begin(piece), pieces.end(piece)); });
}

// Calls work(row) for every row.
template <class Real, class Work>
void over_rows(Context<Cpu<Real>>& ctx, Index rows, Index cols, Work work) {
  const Pieces pieces = Pieces::of_rows(rows, cols);
  ctx.stream().parallel(pieces.count(), [&](Index piece, int) {
    for (Index t = pieces.begin(piece); t < pieces.end(piece); ++t) work(t);
  });
}

}  // namespace temper
