// SPDX-License-Identifier: MIT
// Between the backend's precision and bf16, in which trained weights may be held. Rounding is stochastic: the bits of
// an element depend on the random stream and its number, whichever thread rounds it.
#pragma once
#include "temper/backend/cpu/operands.hpp"

namespace temper {

template <class Real>
void widen(Context<Cpu<Real>>& ctx, OutVector<Real> to, InList<Real, bf16> from) {
  require(to.shape == from.shape, Fault::usage, "widen.shape", "widen: {} elements become {}; expected equal",
          from.size(), to.size());
  ctx.run("widen", {0, bytes_of_all(to, from)}, [&] {
    over_elements(ctx, to.size(), [=](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) to.data[i] = static_cast<Real>(to_float(from.data[i]));
    });
  });
}

// Doubles are rounded to the nearest float first.
template <class Real>
void round_at_random(Context<Cpu<Real>>& ctx, OutList<Real, bf16> to, InVector<Real> from, Random random) {
  require(to.shape == from.shape, Fault::usage, "round_at_random.shape",
          "round_at_random: {} elements become {}; expected equal", from.size(), to.size());
  ctx.run("round_at_random", {20 * static_cast<double>(to.size()), bytes_of_all(to, from)}, [&] {
    over_elements(ctx, to.size(), [=](Index begin, Index end) {
      for (Index i = begin; i < end;) {
        const auto block = random.block(static_cast<std::uint64_t>(i) / 8);
        for (const Index next = std::min(end, (i / 8 + 1) * 8); i < next; ++i)
          to.data[i] = to_bf16(static_cast<float>(from.data[i]), Random::bits16(block, static_cast<std::uint64_t>(i)));
      }
    });
  });
}

}  // namespace temper
