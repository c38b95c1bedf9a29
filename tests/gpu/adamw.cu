// SPDX-License-Identifier: MIT
#include "kernel/adamw_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_adamw_cases() { return adamw_cases(); }
