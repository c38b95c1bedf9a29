// SPDX-License-Identifier: MIT
// The cases of every kernel; each function is compiled in a unit of its own beside this file.
#pragma once
#include "kernel/kernel_cases.hpp"

namespace temper::test::kernels {

KernelCases gpu_device_cases();
KernelCases gpu_rms_norm_cases();
KernelCases gpu_matmul_cases();
KernelCases gpu_nf4_cases();
KernelCases gpu_nf4_matmul_cases();
KernelCases gpu_nf4_gradient_cases();
KernelCases gpu_attention_cases();
KernelCases gpu_attention_gradient_cases();
KernelCases gpu_attention_decode_cases();
KernelCases gpu_cross_entropy_cases();
KernelCases gpu_divergence_cases();
KernelCases gpu_embedding_cases();
KernelCases gpu_dora_cases();
KernelCases gpu_dropout_cases();
KernelCases gpu_global_norm_cases();
KernelCases gpu_activation_cases();
KernelCases gpu_update_cases();
KernelCases gpu_update_8bit_cases();

inline std::vector<KernelCases> all_cases() {
  return {gpu_device_cases(),
          gpu_rms_norm_cases(),
          gpu_matmul_cases(),
          gpu_nf4_cases(),
          gpu_nf4_matmul_cases(),
          gpu_nf4_gradient_cases(),
          gpu_attention_cases(),
          gpu_attention_gradient_cases(),
          gpu_attention_decode_cases(),
          gpu_cross_entropy_cases(),
          gpu_divergence_cases(),
          gpu_embedding_cases(),
          gpu_dora_cases(),
          gpu_dropout_cases(),
          gpu_global_norm_cases(),
          gpu_activation_cases(),
          gpu_update_cases(),
          gpu_update_8bit_cases()};
}

}  // namespace temper::test::kernels
