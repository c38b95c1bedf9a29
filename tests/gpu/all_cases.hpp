// SPDX-License-Identifier: MIT
// The cases of every kernel; each function is compiled in a unit of its own beside this file.
#pragma once
#include "kernel/kernel_cases.hpp"

namespace temper::test::kernels {

KernelCases gpu_device_cases();

inline std::vector<KernelCases> all_cases() { return {gpu_device_cases()}; }

}  // namespace temper::test::kernels
