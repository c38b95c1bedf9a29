// SPDX-License-Identifier: MIT
// Between the backend's precision and bf16, in which trained weights may be held. Rounding is stochastic: the bits of
// an element depend on the random stream and its number, whichever thread rounds it.
#pragma once
#include "temper/backend/cpu/operands.hpp"

namespace temper {

// Random blocks that are computed side by side, of eight elements each; 2^32 is a multiple, so that lanes never carry.
inline constexpr std::size_t rounding_lanes = 16;
inline constexpr Index rounding_stretch = 8 * rounding_lanes;

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

// One stretch, which begins at this element of the whole.
template <class Real>
void round_stretch(bf16* to, const Real* from, Index begin, const Random& random) {
  std::uint32_t words[4][rounding_lanes];
  const auto first = static_cast<std::uint64_t>(begin) / 8;
  philox_lanes(words,
               {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(first >> 32), random.step, random.site},
               random.seed);
  for (std::size_t lane = 0; lane < rounding_lanes; ++lane)
    for (std::size_t i = 0; i < 8; ++i)
      to[8 * lane + i] = to_bf16(static_cast<float>(from[8 * lane + i]),
                                 static_cast<std::uint16_t>(words[i / 2][lane] >> (i % 2 * 16)));
}

// Elements [first, first + count) of the whole. Doubles are rounded to the nearest float first.
template <class Real>
void round_elements(bf16* to, const Real* from, Index first, Index count, const Random& random) {
  for (Index i = 0; i < count;) {
    const Index place = first + i;
    if (place % rounding_stretch == 0 && i + rounding_stretch <= count) {
      round_stretch(to + i, from + i, place, random);
      i += rounding_stretch;
      continue;
    }
    const auto block = random.block(static_cast<std::uint64_t>(place) / 8);
    for (const Index next = std::min(count, i + 8 - place % 8); i < next; ++i)
      to[i] = to_bf16(static_cast<float>(from[i]), Random::bits16(block, static_cast<std::uint64_t>(first + i)));
  }
}

// 'first' is the place of these elements in the whole.
template <class Real>
void round_at_random(Context<Cpu<Real>>& ctx, OutList<Real, bf16> to, InVector<Real> from, Random random,
                     Index first = 0) {
  require(to.shape == from.shape, Fault::usage, "round_at_random.shape",
          "round_at_random: {} elements become {}; expected equal", from.size(), to.size());
  ctx.run("round_at_random", {20 * static_cast<double>(to.size()), bytes_of_all(to, from)}, [&] {
    over_elements(ctx, to.size(), [=](Index begin, Index end) {
      round_elements(to.data + begin, from.data + begin, first + begin, end - begin, random);
    });
  });
}

}  // namespace temper
