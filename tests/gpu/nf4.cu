// SPDX-License-Identifier: MIT
#include "kernel/nf4_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_nf4_cases() { return nf4_cases(); }
