// SPDX-License-Identifier: MIT
// All that a kernel receives: its place in the grid, its warp, its barrier and its shared memory. A kernel is a struct
//   struct K { static constexpr int threads = 128; struct Shared {...}; TEMPER_DEVICE void operator()(Block<K>&) const;
//   };
// whose fields are its arguments. Barriers must be reached by all threads of the block.
#pragma once
#include "temper/device/warp.cuh"

namespace temper::device {
inline namespace TEMPER_TARGET {

#if !TEMPER_ON_GPU
// What the threads of one block have together.
struct BlockState {
  Fibers* fibers = nullptr;
  Position index;
  Grid grid;
  Fibers::Meeting meeting;
  WarpState* warps = nullptr;
  const unsigned char* shared = nullptr;
  std::size_t shared_bytes = 0;
};
#endif

template <class Kernel>
struct Block {
  static constexpr int threads = Kernel::threads, warps = threads / warp_size;
  static_assert(threads % warp_size == 0 && threads >= warp_size && threads <= 1024, "a block is 1 to 32 whole warps");

  typename Kernel::Shared& shared;
#if TEMPER_ON_GPU
  TEMPER_DEVICE int thread() const { return static_cast<int>(threadIdx.x); }
  TEMPER_DEVICE Position index() const {
    return {static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y), static_cast<int>(blockIdx.z)};
  }
  TEMPER_DEVICE Grid grid() const {
    return {static_cast<int>(gridDim.x), static_cast<int>(gridDim.y), static_cast<int>(gridDim.z)};
  }
  TEMPER_DEVICE Warp warp() const { return {}; }
  TEMPER_DEVICE void sync() const { __syncthreads(); }
#else
  BlockState* state;
  int thread_;
  int thread() const { return thread_; }
  Position index() const { return state->index; }
  Grid grid() const { return state->grid; }
  Warp warp() const { return {state->fibers, &state->warps[thread_ / warp_size], thread_ % warp_size}; }
  void sync(int line = __builtin_LINE()) const { state->fibers->meet(state->meeting, "block.sync()", line); }
#endif
  TEMPER_DEVICE int warp_index() const { return thread() / warp_size; }
  TEMPER_DEVICE int lane() const { return thread() % warp_size; }
};

// Sum over the block, the same in every thread. 'partial' has a slot for each warp; before it is used again, in another
// sum, too, there must be a block.sync().
template <class Kernel>
TEMPER_DEVICE float block_sum(const Block<Kernel>& block, float x, float (&partial)[Kernel::threads / warp_size]) {
  x = warp_sum(block.warp(), x);
  if (block.lane() == 0) partial[block.warp_index()] = x;
  block.sync();
  return warp_sum(block.warp(), block.lane() < Block<Kernel>::warps ? partial[block.lane()] : 0.0f);
}

}  // namespace TEMPER_TARGET
}  // namespace temper::device
