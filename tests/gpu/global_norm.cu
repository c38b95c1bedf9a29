// SPDX-License-Identifier: MIT
#include "kernel/global_norm_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_global_norm_cases() { return global_norm_cases(); }
