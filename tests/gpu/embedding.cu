// SPDX-License-Identifier: MIT
#include "kernel/embedding_cases.hpp"

#include "gpu/all_cases.hpp"

temper::test::kernels::KernelCases temper::test::kernels::gpu_embedding_cases() { return embedding_cases(); }
