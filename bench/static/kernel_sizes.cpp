// SPDX-License-Identifier: MIT
// One line a kernel: its type as the compiler spells it, the threads of a block, its shared memory in bytes.
#include "every_kernel.hpp"

#include <cstdio>
#include <typeinfo>

#include "temper/device/launch.cuh"

int main() {
#define TEMPER_KERNEL_SIZE(...)                                                                                  \
  std::printf("%s\t%d\t%zu\n", typeid(temper::kernel::__VA_ARGS__).name(), temper::kernel::__VA_ARGS__::threads, \
              temper::device::shared_bytes<temper::kernel::__VA_ARGS__>);
  TEMPER_EVERY_KERNEL(TEMPER_KERNEL_SIZE)
}
