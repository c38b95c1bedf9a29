// SPDX-License-Identifier: MIT
#include "kernel/cross_entropy_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_cross_entropy_cases() { return cross_entropy_cases(); }
