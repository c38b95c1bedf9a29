// SPDX-License-Identifier: MIT
#include "kernel/dropout_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_dropout_cases() { return dropout_cases(); }
