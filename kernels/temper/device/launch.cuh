// SPDX-License-Identifier: MIT
// Streams, and launching a kernel on one: launch(stream, grid, Kernel{...}). The block's size and its shared memory are
// the kernel's own Kernel::threads and sizeof(Kernel::Shared), so that no launch can get them wrong.
#pragma once
#include "temper/core/error.hpp"
#include "temper/device/block.cuh"
#if !TEMPER_ON_GPU
#include "temper/device/rim.hpp"
#endif

namespace temper::device {
inline namespace TEMPER_TARGET {

template <class Kernel>
constexpr std::size_t shared_bytes = std::is_empty_v<typename Kernel::Shared> ? 0 : sizeof(typename Kernel::Shared);

#if TEMPER_ON_GPU
inline void require_success(cudaError_t status, const char* what) {
  require(status == cudaSuccess, Fault::usage, "kernel.cuda", "{} failed: {}", what, cudaGetErrorString(status));
}

class Stream {
 public:
  Stream() { require_success(cudaStreamCreateWithFlags(&handle_, cudaStreamNonBlocking), "making a stream"); }
  ~Stream() { cudaStreamDestroy(handle_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  void wait() { require_success(cudaStreamSynchronize(handle_), "a kernel or copy of a stream"); }
  cudaStream_t handle() const { return handle_; }

 private:
  cudaStream_t handle_ = nullptr;
};

extern __shared__ __align__(128) unsigned char dynamic_shared[];

template <class Kernel>
__global__ void __launch_bounds__(Kernel::threads) entry(const __grid_constant__ Kernel kernel) {
  Block<Kernel> block{*reinterpret_cast<typename Kernel::Shared*>(dynamic_shared)};
  kernel(block);
}

template <class Kernel>
void launch(Stream& stream, Grid grid, const Kernel& kernel) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  constexpr int bytes = static_cast<int>(shared_bytes<Kernel>);
  if constexpr (bytes > 48 * 1024)
    require_success(cudaFuncSetAttribute(entry<Kernel>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
                    "asking for a kernel's shared memory");
  const dim3 blocks(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y), static_cast<unsigned>(grid.z));
  entry<Kernel><<<blocks, Kernel::threads, bytes, stream.handle()>>>(kernel);
  require_success(cudaGetLastError(), "launching a kernel");
}
#else
// Runs at once; its order is the order of the threads of a block, and of the blocks of a grid.
class Stream {
 public:
  explicit Stream(Order order = Order::forward, std::uint64_t seed = 1)
      : fibers_(std::make_unique<Fibers>(order, seed)) {}
  void wait() {}
  Fibers& fibers() { return *fibers_; }

 private:
  std::unique_ptr<Fibers> fibers_;
};

template <class Kernel>
void launch(Stream& stream, Grid grid, const Kernel& kernel) {
  using Shared = typename Kernel::Shared;
  static_assert(std::is_trivially_default_constructible_v<Shared>, "shared memory is not constructed");
  static_assert(alignof(Shared) <= 128);
  std::vector<WarpState> warps(std::size_t{Block<Kernel>::warps});
  for (const int i : stream.fibers().order_of(grid.x * grid.y * grid.z)) {
    const Position at{i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
    const RimmedMemory memory(sizeof(Shared));  // fresh for each block, so that nothing of the last is found
    BlockState state;
    state.fibers = &stream.fibers();
    state.index = at;
    state.grid = grid;
    state.meeting.expected = Kernel::threads;
    state.meeting.members = "threads of the block";
    for (WarpState& w : warps) {
      w.meeting = {};
      w.meeting.expected = warp_size;
      w.meeting.members = "lanes of the warp";
    }
    state.warps = warps.data();
    state.shared = static_cast<const unsigned char*>(memory.data());
    state.shared_bytes = shared_bytes<Kernel>;
    const auto body = [&](int thread) {
      Block<Kernel> block{*static_cast<Shared*>(memory.data()), &state, thread};
      kernel(block);
    };
    stream.fibers().run(
        Kernel::threads, [](void* context, int thread) { (*static_cast<decltype(body)*>(context))(thread); },
        const_cast<void*>(static_cast<const void*>(&body)));
    require(memory.rim_broken_at() < 0, Fault::usage, "kernel.shared",
            "block {}, {}, {} has written {} bytes past the end of its {} bytes of shared memory", at.x, at.y, at.z,
            memory.rim_broken_at(), sizeof(Shared));
  }
}
#endif

}  // namespace TEMPER_TARGET
}  // namespace temper::device
