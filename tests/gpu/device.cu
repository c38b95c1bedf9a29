// SPDX-License-Identifier: MIT
#include "gpu/all_cases.hpp"
#include "kernel/device_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_device_cases() { return device_cases(); }
