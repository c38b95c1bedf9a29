// SPDX-License-Identifier: MIT
#include "kernel/dora_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_dora_cases() { return dora_cases(); }
