// SPDX-License-Identifier: MIT
#include "kernel/matmul_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_matmul_cases() { return matmul_cases(); }
