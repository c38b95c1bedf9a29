// SPDX-License-Identifier: MIT
// What this machine has to give.
#pragma once
#include <cstddef>

namespace temper_cli {

// Bytes that can be used without swapping, within the limit of this process's control group.
std::size_t available_memory();

// Floating-point operations a second that a product of matrices reaches here; 0 threads: all cores.
double measured_flops_per_second(int threads);

// At which a product of few rows reads its matrix, of more bytes than caches hold.
double measured_bytes_per_second(int threads);

}  // namespace temper_cli
