// SPDX-License-Identifier: MIT
#include "kernel/rms_norm_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_rms_norm_cases() { return rms_norm_cases(); }
