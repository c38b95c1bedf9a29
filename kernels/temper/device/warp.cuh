// SPDX-License-Identifier: MIT
// The 32 lanes of a warp, which exchange registers. All lanes must come to every operation here together.
#pragma once
#include "temper/device/math.cuh"
#if !TEMPER_ON_GPU
#include "temper/device/fibers.hpp"
#endif

namespace temper::device {
inline namespace TEMPER_TARGET {

#if TEMPER_ON_GPU
struct Warp {
  TEMPER_DEVICE int lane() const { return static_cast<int>(threadIdx.x) % warp_size; }
  TEMPER_DEVICE void sync() const { __syncwarp(); }
  // The value of another lane.
  template <class T>
  TEMPER_DEVICE T shuffle(T x, int from) const {
    return __shfl_sync(~0u, x, from);
  }
  template <class T>
  TEMPER_DEVICE T shuffle_xor(T x, int mask) const {
    return __shfl_xor_sync(~0u, x, mask);
  }
};
#else
// Lanes write a slot each, meet, and read. Two sets of slots, one a phase: a lane that writes the next set has met all
// others behind their reads of the set before.
struct WarpState {
  Fibers::Meeting meeting;
  alignas(16) unsigned char slot[2][warp_size][64] = {};
};
struct Warp {
  Fibers* fibers;
  WarpState* state;
  int lane_;

  int lane() const { return lane_; }
  void sync(int line = __builtin_LINE()) const { fibers->meet(state->meeting, "warp.sync()", line); }
  template <class T>
  T shuffle(T x, int from, int line = __builtin_LINE()) const {
    return exchange(x, from, "warp.shuffle()", line);
  }
  template <class T>
  T shuffle_xor(T x, int mask, int line = __builtin_LINE()) const {
    return exchange(x, lane_ ^ mask, "warp.shuffle_xor()", line);
  }

  // The slots that the next meeting uses.
  TEMPER_UNWATCHED unsigned char (&slots() const)[warp_size][64] { return state->slot[state->meeting.phase & 1u]; }

  template <class T>
  T exchange(T x, int from, const char* what, int line) const {
    static_assert(sizeof(T) <= 64);
    require(from >= 0 && from < warp_size, Fault::usage, "kernel.lane",
            "lane {} asks for lane {} in {} of line {}; a warp has lanes 0 to 31", lane_, from, what, line);
    auto& slot = slots();
    std::memcpy(slot[lane_], &x, sizeof x);
    fibers->meet(state->meeting, what, line);
    std::memcpy(&x, slot[from], sizeof x);
    return x;
  }
};
#endif

// Over all lanes, the same in each: a fixed tree, so that every lane has the same bits.
TEMPER_DEVICE float warp_sum(const Warp& warp, float x) {
  TEMPER_UNROLL
  for (int mask = warp_size / 2; mask > 0; mask /= 2) x += warp.shuffle_xor(x, mask);
  return x;
}
TEMPER_DEVICE float warp_max(const Warp& warp, float x) {
  TEMPER_UNROLL
  for (int mask = warp_size / 2; mask > 0; mask /= 2) x = larger(x, warp.shuffle_xor(x, mask));
  return x;
}

}  // namespace TEMPER_TARGET
}  // namespace temper::device
