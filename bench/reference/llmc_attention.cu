// SPDX-License-Identifier: MIT
// Attention as dev/cuda/attention_forward.cu of llm.c has it beside ours on one input: llmc_attention TOKENS HEADS
// WIDTH, WIDTH 64 or 128. Its versions 2 (one kernel, float) and 5 (bf16: two products by cuBLAS, and its own softmax
// and permutations). For bench/reference_kernels.sh, which compiles it with dev/cuda of a checkout among the include
// folders.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#define main reference_main
#include "attention_forward.cu"  // of the checkout
#undef main

#include "temper/device/buffer.cuh"
#include "temper/kernel/attention.cuh"

namespace {

using temper::bf16;
using temper::device::Buffer;

template <int Width>
int run(int tokens, int heads) {
  temper::device::Stream stream;
  const int columns = heads * Width;
  const auto count = static_cast<std::size_t>(tokens) * static_cast<std::size_t>(columns),
             scores =
                 static_cast<std::size_t>(heads) * static_cast<std::size_t>(tokens) * static_cast<std::size_t>(tokens);
  std::vector<float> both(3 * count);  // [tokens, 3, heads, width], rounded to bf16
  std::vector<bf16> parts[3];
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < both.size(); ++i) {
    state = state * 1664525u + 1013904223u;
    const bf16 value = temper::to_bf16(static_cast<float>(state >> 9) * 0x1p-22f - 1);
    both[i] = temper::to_float(value);
    parts[i / static_cast<std::size_t>(columns) % 3].push_back(value);
  }
  Buffer<bf16> q(parts[0]), k(parts[1]), v(parts[2]), y(count);
  Buffer<float> lse(static_cast<std::size_t>(tokens) * static_cast<std::size_t>(heads));
  const auto of_pack = temper::kernel::attention_tiles({0, tokens});
  Buffer<temper::kernel::AttentionTile> tiles(of_pack);
  using Kernel = temper::kernel::AttentionForward<Width>;
  temper::device::launch(stream, Kernel::grid(of_pack.size(), heads),
                         Kernel{q.data(), k.data(), v.data(), y.data(), lse.data(), tiles.data(), heads, heads,
                                1 / std::sqrt(static_cast<float>(Width))});
  const auto ours = y.download(stream);

  Buffer<float> input(both), out{std::vector<float>(count)};  // version 2 multiplies what it finds there by zero
  Buffer<floatX> vaccum(count), qkvr(3 * count), preatt{std::vector<floatX>(scores)}, att{std::vector<floatX>(scores)};
  first_run_validation = true;
  cublasCheck(cublasCreate(&cublas_handle));
  int status = 0;
  for (const int version : {2, 5}) {
    if (version == 2) {
      attention_forward2(out.data(), input.data(), 1, tokens, columns, heads, 256);
    } else {
      attention_forward5(out.data(), vaccum.data(), qkvr.data(), preatt.data(), att.data(), input.data(), 1, tokens,
                         columns, heads, 256);
    }
    cudaCheck(cudaDeviceSynchronize());
    const auto theirs = out.download(stream);
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double expected = static_cast<double>(temper::to_float(ours[i]));
      difference += std::abs(static_cast<double>(theirs[i]) - expected);
      size += std::abs(expected);
    }
    std::printf("version %d: off by %.2g of the result's size\n", version, difference / size);
    if (!(difference <= 0.02 * size)) status = 1;
  }
  return status;
}

}  // namespace

int main(int count, char** arguments) {
  const int width = count == 4 ? std::atoi(arguments[3]) : 0;
  if (width != 64 && width != 128) {
    std::fputs("usage: llmc_attention TOKENS HEADS 64|128\n", stderr);
    return 2;
  }
  try {
    const int tokens = std::atoi(arguments[1]), heads = std::atoi(arguments[2]);
    return width == 64 ? run<64>(tokens, heads) : run<128>(tokens, heads);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
