// SPDX-License-Identifier: MIT
// tables ARCHITECTURE LOG [LISTING]: what is known of every kernel from 'ptxas -v' and 'cuobjdump -sass', for
// bench/static.sh. Two tables: resources and main loops, and a roofline by shape. 1 when a kernel spills, does not fit,
// or was not compiled.
#include "every_kernel.hpp"

#include <cstdio>
#include <typeinfo>

#include "machine_code.hpp"
#include "roofline.hpp"
#include "temper/device/launch.cuh"

namespace temper::bench {
namespace {

struct Size {
  int threads, shared;
};

template <class Kernel>
void add_size(std::map<std::string, Size>& sizes) {
  sizes[kernel_name(typeid(Kernel).name())] = {Kernel::threads, static_cast<int>(device::shared_bytes<Kernel>)};
}

// How many blocks a multiprocessor holds: registers are given to warps by 256, and a block takes 1 KiB of shared memory
// more than it asks for.
int resident_blocks(const Architecture& on, const CompiledKernel& kernel, const Size& size) {
  const int of_warp = (kernel.registers * 32 + 255) / 256 * 256;
  return std::min({65536 / (of_warp * size.threads / 32), on.shared_kib * 1024 / (size.shared + 1024),
                   on.threads / size.threads, on.blocks});
}

// What the main loop keeps busiest, in cycles of a multiprocessor for one pass of a block: its four tensor cores, its
// four issue slots, its shared memory of 128 bytes a cycle.
double tensor_share(const Architecture& on, const MainLoop& loop, int threads) {
  const double warps = threads / 32.0, tensor = loop.tensor * on.tensor_cycles * warps / 4,
               issue = loop.instructions * warps / 4, shared = loop.wavefronts * warps;
  return tensor / std::max({tensor, issue, shared});
}

bool print(const Architecture& on, const std::map<std::string, Size>& sizes,
           const std::map<std::string, CompiledKernel>& kernels, Known& known) {
  std::printf(
      "| kernel, sm_%d | registers | spilled, bytes | threads | shared, bytes | blocks | warps, %% | loop | tensor | "
      "async | ldmatrix | wavefronts | tensor cores at most |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
      on.number);
  bool right = !sizes.empty();
  for (const auto& [name, size] : sizes) {
    const auto found = kernels.find(name);
    if (found == kernels.end()) {
      std::printf("| `%s` | not compiled |\n", name.c_str());
      right = false;
      continue;
    }
    const CompiledKernel& kernel = found->second;
    const int blocks = resident_blocks(on, kernel, size);
    std::printf("| `%s` | %d | %d | %d | %d | %d | %d | ", name.c_str(), kernel.registers, kernel.spilled, size.threads,
                size.shared, blocks, 100 * blocks * size.threads / on.threads);
    const MainLoop& loop = kernel.loop;
    if (loop.tensor > 0) {
      const double share = tensor_share(on, loop, size.threads);
      std::printf("%d%s | %d | %d | %d | %d | %.0f %% |\n", loop.instructions, loop.loops_inside > 0 ? " +" : "",
                  loop.tensor, loop.async_copies, loop.matrix_loads, loop.wavefronts, 100 * share);
      known[name] = {blocks, share};
    } else {
      std::printf("| | | | | |\n");
      known[name] = {blocks, 1};
    }
    right = right && kernel.spilled == 0 && blocks > 0;
  }
  return right;
}

int run(int count, char** arguments) {
  const Architecture* on = count >= 3 ? architecture(std::atoi(arguments[1])) : nullptr;
  if (on == nullptr) {
    std::fputs("usage: tables 80|86|90|120 LOG [LISTING]\n", stderr);
    return 2;
  }
  std::map<std::string, Size> sizes;
#define TEMPER_KERNEL_SIZE(...) add_size<temper::kernel::__VA_ARGS__>(sizes);
  TEMPER_EVERY_KERNEL(TEMPER_KERNEL_SIZE)
  Known known;
  const bool right = print(*on, sizes, compiled_kernels(arguments[2], count > 3 ? arguments[3] : ""), known);
  print_roofline(*on, known);
  return right ? 0 : 1;
}

}  // namespace
}  // namespace temper::bench

int main(int count, char** arguments) { return temper::bench::run(count, arguments); }
