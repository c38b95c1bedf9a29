// SPDX-License-Identifier: MIT
#include "kernel/activation_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_activation_cases() { return activation_cases(); }
