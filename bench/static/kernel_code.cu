// SPDX-License-Identifier: MIT
// The machine code of every kernel, for bench/static.sh.
#include "every_kernel.hpp"

#include "temper/device/launch.cuh"

// clang-format off
#define TEMPER_KERNEL_CODE(...)                                                \
  template __global__ void temper::device::entry<temper::kernel::__VA_ARGS__>( \
      const __grid_constant__ temper::kernel::__VA_ARGS__);
TEMPER_EVERY_KERNEL(TEMPER_KERNEL_CODE)
// clang-format on
