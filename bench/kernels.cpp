// SPDX-License-Identifier: MIT
// What emulating a kernel on fibers costs: nanoseconds of processor time a thread and operation, the best of some
// rounds, for threads that start and end, plain arithmetic, and each operation at which threads meet. Arguments: rounds
// (5), blocks (40).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "temper/device/device.cuh"

namespace {

namespace device = temper::device;

// Each of the Threads does What so many times.
enum class What { nothing, arithmetic, sync, shuffle, mma, copy };

template <What Does, int Threads>
struct Work {
  static constexpr int threads = Threads;
  struct Shared {
    alignas(16) float pieces[std::size_t{Threads}][4];
  };
  const float* from;
  float* to;
  int times;

  void operator()(device::Block<Work>& block) const {
    const int thread = block.thread();
    float sum = 1;
    device::Accumulator product{};
    device::AsyncCopies copies(block);
    for (int i = 0; i < times; ++i) {
      if constexpr (Does == What::arithmetic) sum = device::fused_multiply_add(sum, 0.5f, 1.0f);
      if constexpr (Does == What::sync) block.sync();
      if constexpr (Does == What::shuffle) sum += block.warp().shuffle_xor(sum, 1);
      if constexpr (Does == What::mma)
        device::mma_bf16(block.warp(), product, device::FragmentA{}, device::FragmentB{});
      if constexpr (Does == What::copy) {
        copies.copy(block.shared.pieces[thread], from + thread * 4);
        copies.commit();
        copies.template wait<0>();
      }
    }
    to[block.index().x * Threads + thread] = sum + product.r[0];
  }
};

template <What Does, int Threads>
void measure(const char* name, int times, int rounds, int blocks) {
  device::Stream stream;
  const auto count = static_cast<std::size_t>(Threads) * static_cast<std::size_t>(blocks);
  device::Buffer<float> from(std::vector<float>(static_cast<std::size_t>(Threads) * 4, 1.0f)), to(count);
  double best = 1e30;
  for (int round = 0; round < rounds; ++round) {
    const auto start = std::clock();
    device::launch(stream, {blocks, 1, 1}, Work<Does, Threads>{from.data(), to.data(), times});
    best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  std::printf("%-32s %4d threads  %8.1f ns a thread%s\n", name, Threads,
              1e9 * best / static_cast<double>(count) / std::max(times, 1), times > 0 ? " and operation" : "");
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = std::max(1, count > 1 ? std::atoi(arguments[1]) : 5),
            blocks = std::max(1, count > 2 ? std::atoi(arguments[2]) : 40);
  measure<What::nothing, 128>("start and end", 0, rounds, blocks);
  measure<What::arithmetic, 128>("a multiplication and addition", 4000, rounds, blocks);
  measure<What::sync, 32>("block.sync()", 400, rounds, blocks);
  measure<What::sync, 128>("block.sync()", 400, rounds, blocks);
  measure<What::sync, 256>("block.sync()", 400, rounds, blocks);
  measure<What::shuffle, 128>("warp.shuffle_xor()", 400, rounds, blocks);
  measure<What::mma, 128>("mma_bf16()", 100, rounds, blocks);
  measure<What::copy, 128>("a copy of 16 bytes, waited for", 400, rounds, blocks);
}
