// SPDX-License-Identifier: MIT
#include "kernel/attention_decode_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_attention_decode_cases() {
  return attention_decode_cases();
}
