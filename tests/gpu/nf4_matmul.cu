// SPDX-License-Identifier: MIT
#include "kernel/nf4_matmul_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_nf4_matmul_cases() { return nf4_matmul_cases(); }
