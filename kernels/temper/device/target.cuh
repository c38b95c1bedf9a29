// SPDX-License-Identifier: MIT
// One switch decides what the device layer means: under nvcc the GPU, under any other compiler fibers on the host.
// The words of both targets lie in inline namespaces, so that one program may link units of both.
#pragma once
#include "temper/core/types.hpp"

#if defined(__CUDACC__)
#define TEMPER_ON_GPU 1
#define TEMPER_TARGET on_gpu
#define TEMPER_DEVICE __device__ __forceinline__         // runs in kernels
#define TEMPER_BOTH __host__ __device__ __forceinline__  // a formula that the host may use, too
#define TEMPER_UNROLL _Pragma("unroll")
#else
#define TEMPER_ON_GPU 0
#define TEMPER_TARGET on_fibers
#define TEMPER_DEVICE inline
#define TEMPER_BOTH inline
#define TEMPER_UNROLL
#endif

namespace temper::device {

inline constexpr int warp_size = 32;

struct Position {
  int x = 0, y = 0, z = 0;
};
struct Grid {
  int x = 1, y = 1, z = 1;
};

// The shared memory of a kernel that wants none.
struct NoShared {};

}  // namespace temper::device
