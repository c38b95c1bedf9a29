// SPDX-License-Identifier: MIT
#include "kernel/divergence_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_divergence_cases() { return divergence_cases(); }
