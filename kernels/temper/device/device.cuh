// SPDX-License-Identifier: MIT
// The whole device layer: what kernels are written with, for nvcc and for fibers on the host.
#pragma once
#include "temper/device/block.cuh"
#include "temper/device/buffer.cuh"
#include "temper/device/copy.cuh"
#include "temper/device/launch.cuh"
#include "temper/device/load_matrix.cuh"
#include "temper/device/math.cuh"
#include "temper/device/mma.cuh"
#include "temper/device/target.cuh"
#include "temper/device/vector.cuh"
#include "temper/device/warp.cuh"
