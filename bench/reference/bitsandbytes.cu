// SPDX-License-Identifier: MIT
// The 4-bit products of bitsandbytes beside ours on one input: bitsandbytes TOKENS OUT IN. For
// bench/reference_kernels.sh, which compiles it with csrc/ of a checkout of bitsandbytes among the include folders, and
// its kernels beside it. Fails when results differ by more than bf16 explains.
#include <cmath>
#include <cstdio>
#include <cstdlib>

// clang-format off
#include "kernels.cu"  // of the checkout: kernels that are templates can only be launched where they are compiled
#include "gemm_4bit_simt.cuh"
#include "gemm_4bit_sm80.cuh"
// clang-format on

#include "temper/device/buffer.cuh"
#include "temper/kernel/nf4_matmul.cuh"

namespace {

using temper::bf16;
using temper::device::Buffer;

double distance(const std::vector<bf16>& one, const std::vector<bf16>& other) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    const double a = static_cast<double>(temper::to_float(one[i])), b = static_cast<double>(temper::to_float(other[i]));
    difference += std::abs(a - b);
    size += std::abs(b);
  }
  return difference / size;
}

int run(int tokens, int out, int in) {
  temper::device::Stream stream;
  const auto elements = static_cast<std::size_t>(out) * static_cast<std::size_t>(in);
  std::vector<unsigned char> codes(elements / 2);
  std::vector<float> scales(elements / 64), table(temper::nf4_table.begin(), temper::nf4_table.end());
  std::vector<bf16> x(static_cast<std::size_t>(tokens) * static_cast<std::size_t>(in));
  std::uint32_t state = 1;
  const auto next = [&] {
    return state = state * 1664525u + 1013904223u, static_cast<float>(state >> 9) * 0x1p-22f - 1;
  };
  for (auto& code : codes) next(), code = static_cast<unsigned char>(state >> 24);
  for (auto& scale : scales) scale = 1.5f + next();
  for (auto& value : x) value = temper::to_bf16(next());
  Buffer<unsigned char> on_codes(codes);
  Buffer<float> on_scales(scales), on_table(table);
  Buffer<bf16> on_x(x), ours(static_cast<std::size_t>(tokens) * static_cast<std::size_t>(out)), theirs(ours.size());

  Buffer<float> partial(temper::kernel::nf4_partial(tokens, out, in));
  temper::kernel::nf4_matmul<bf16>(stream, on_x.data(), {on_codes.data(), {on_scales.data()}}, ours.data(), tokens, out,
                                   in, {partial.data(), partial.size()});
  const auto expected = ours.download(stream);

  auto* a = reinterpret_cast<__nv_bfloat16*>(on_x.data());
  auto* c = reinterpret_cast<__nv_bfloat16*>(theirs.data());
  bool agrees = true;
  const auto check = [&](const char* name) {
    const double off = distance(theirs.download(stream), expected);
    std::printf("%s: off by %.2g of the result's size\n", name, off);
    if (!(off < 0.02)) agrees = false;  // nor does NaN agree
  };
  const int nf4 = 2;
  if (tokens == 1) {
    kgemm_4bit_inference_naive<__nv_bfloat16, 128, 16><<<(out + 3) / 4, 128, 0, stream.handle()>>>(
        out, tokens, in, a, on_codes.data(), on_scales.data(), on_table.data(), c, out, (in + 1) / 2, out, 64);
    check("kgemm_4bit_inference_naive");
  }
  if (tokens <= 16) {
    launch_gemm_4bit_simt<__nv_bfloat16>(a, on_codes.data(), on_scales.data(), nullptr, nullptr, nullptr, c, nullptr,
                                         tokens, out, in, 64, nf4, stream.handle());
    check("gemm_4bit_simt");
  }
  if (tokens >= 4) {
    launch_gemm_4bit_sm80_m16n8k16<__nv_bfloat16>(a, on_codes.data(), on_scales.data(), nullptr, nullptr, nullptr, c,
                                                  nullptr, tokens, out, in, 64, nf4, GpuProps{0, 108, 8, 0},
                                                  stream.handle());
    check("gemm_4bit_sm80_m16n8k16");
  }
  return agrees ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::fputs("usage: bitsandbytes TOKENS OUT IN\n", stderr);
    return 2;
  }
  try {
    return run(std::atoi(arguments[1]), std::atoi(arguments[2]), std::atoi(arguments[3]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
