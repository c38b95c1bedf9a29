// SPDX-License-Identifier: MIT
#include "kernel/attention_gradient_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_attention_gradient_cases() {
  return attention_gradient_cases();
}
