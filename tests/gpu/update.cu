// SPDX-License-Identifier: MIT
#include "kernel/update_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_update_cases() { return update_cases(); }
