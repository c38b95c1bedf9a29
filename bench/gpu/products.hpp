// SPDX-License-Identifier: MIT
// Linear layers at shapes of models of 8 billion parameters: in bf16 beside cuBLAS, with an adapter of low rank beside
// the three products that cuBLAS makes of it, in NF4 beside cuBLAS on the weight in bf16, which is four times the
// bytes. Each result is compared with cuBLAS's.
#pragma once
#include <cublas_v2.h>

#include <cmath>

#include "gpu/measure.hpp"
#include "temper/kernel/matmul.cuh"
#include "temper/kernel/nf4_gradient.cuh"
#include "temper/kernel/nf4_matmul.cuh"

namespace temper::bench {

class Cublas {
 public:
  explicit Cublas(device::Stream& stream) {
    check(cublasCreate(&handle_));
    check(cublasSetStream(handle_, stream.handle()));
  }
  ~Cublas() { cublasDestroy(handle_); }
  Cublas(const Cublas&) = delete;
  Cublas& operator=(const Cublas&) = delete;

  // C [m, n] += A B, rows of each one after the other; A and B as How says they lie, C as it is times 'kept'.
  template <class How, class Out>
  void product(const bf16* a, const bf16* b, Out* c, int m, int n, int k, float kept = 0) {
    const bool a_along = How::a == kernel::Stored::along_k, b_along = How::b == kernel::Stored::along_k;
    const float one = 1;
    // In its order of columns C is [n, m], and its first operand is our second.
    check(cublasGemmEx(handle_, b_along ? CUBLAS_OP_T : CUBLAS_OP_N, a_along ? CUBLAS_OP_N : CUBLAS_OP_T, n, m, k, &one,
                       b, CUDA_R_16BF, b_along ? k : n, a, CUDA_R_16BF, a_along ? k : m, &kept, c,
                       sizeof(Out) == 2 ? CUDA_R_16BF : CUDA_R_32F, n, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  }

 private:
  static void check(cublasStatus_t status) {
    require(status == CUBLAS_STATUS_SUCCESS, Fault::usage, "kernel.bench", "cuBLAS answers {}",
            static_cast<int>(status));
  }
  cublasHandle_t handle_{};
};

// Both in bf16, or sums of as many terms: they agree but for roundings.
template <class T>
void require_near(device::Stream& stream, const device::Buffer<T>& one, const device::Buffer<T>& other,
                  const std::string& what) {
  const auto a = one.download(stream), b = other.download(stream);
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    double x, y;
    if constexpr (sizeof(T) == 4) {
      x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    } else {
      x = static_cast<double>(to_float(a[i])), y = static_cast<double>(to_float(b[i]));
    }
    difference += std::abs(x - y);
    size += std::abs(y);
  }
  require(difference <= 0.01 * size, Fault::usage, "kernel.bench", "{} is not what cuBLAS makes of it: off by {} of {}",
          what, difference, size);
}

inline std::string shape_of(int tokens, int out, int in) {
  return std::to_string(tokens) + " x " + std::to_string(out) + " x " + std::to_string(in);
}
inline std::size_t elements(int a, int b) { return static_cast<std::size_t>(a) * static_cast<std::size_t>(b); }
inline Floor linear_floor(double tokens, double out, double in, double weight_bytes) {
  return {weight_bytes * out * in + 2 * tokens * (out + in), 2 * tokens * out * in};
}

template <class How, class Out>
void launch_product(device::Stream& stream, const bf16* a, const bf16* b, Out* c, int m, int n, int k,
                    const kernel::LowRank& low = {}) {
  const auto as = [&]<class Tile>() {
    using Kernel = kernel::Matmul<How, Out, Tile>;
    const bool a_along = How::a == kernel::Stored::along_k, b_along = How::b == kernel::Stored::along_k;
    device::launch(stream, Kernel::grid(m, n), Kernel{{a, a_along ? k : m}, {b, b_along ? k : n}, c, m, n, k, {}, low});
  };
  if (n <= 16) {
    as.template operator()<kernel::SkinnyTile>();
  } else if (m <= 64) {
    as.template operator()<kernel::SmallTile>();
  } else {
    as.template operator()<kernel::LargeTile>();
  }
}

template <class How, class Out>
void measure_product(Measurements& all, Cublas& cublas, const std::string& name, int tokens, int out, int in, int m,
                     int n, int k) {
  if (!all.wanted(name)) return;
  const int sets = all.sets_of(2.0 * out * in);
  Copies<bf16> a(sets, some_numbers<bf16>(elements(m, k))), b(sets, some_numbers<bf16>(elements(n, k)));
  device::Buffer<Out> c(elements(m, n)), of_cublas(elements(m, n));
  all.add(name, shape_of(tokens, out, in), linear_floor(tokens, out, in, 2),
          [&](int i) { launch_product<How, Out>(all.stream(), a[i], b[i], c.data(), m, n, k); },
          {{"cuBLAS", [&](int i) { cublas.product<How, Out>(a[i], b[i], of_cublas.data(), m, n, k); }}});
  require_near(all.stream(), c, of_cublas, name);
}

inline void measure_adapter(Measurements& all, Cublas& cublas, int tokens, int out, int in) {
  const std::string name = "bf16 forward with rank 16";
  if (!all.wanted(name)) return;
  constexpr int rank = 16;
  const int sets = all.sets_of(2.0 * out * in);
  Copies<bf16> x(1, some_numbers<bf16>(elements(tokens, in))), w(sets, some_numbers<bf16>(elements(out, in)));
  Copies<bf16> a(1, some_numbers<bf16>(elements(rank, in), 0.1f)), b(1, some_numbers<bf16>(elements(out, rank), 0.1f));
  device::Buffer<bf16> y(elements(tokens, out)), of_cublas(elements(tokens, out)), u(elements(tokens, rank));
  all.add(name, shape_of(tokens, out, in), linear_floor(tokens, out, in, 2),
          [&](int i) {
            launch_product<kernel::Forward, bf16>(all.stream(), x[0], a[0], u.data(), tokens, rank, in);
            launch_product<kernel::Forward, bf16>(all.stream(), x[0], w[i], y.data(), tokens, out, in,
                                                  {{u.data(), rank}, {b[0], rank}, rank});
          },
          {{"cuBLAS", [&](int i) {
              cublas.product<kernel::Forward, bf16>(x[0], a[0], u.data(), tokens, rank, in);
              cublas.product<kernel::Forward, bf16>(x[0], w[i], of_cublas.data(), tokens, out, in);
              cublas.product<kernel::Forward, bf16>(u.data(), b[0], of_cublas.data(), tokens, out, rank, 1);
            }}});
  require_near(all.stream(), y, of_cublas, name);
}

inline void measure_nf4(Measurements& all, Cublas& cublas, int tokens, int out, int in) {
  const std::string forward = "NF4 forward", backward = "NF4 input gradient", adapted = "NF4 forward with rank 16";
  if (!all.wanted(forward) && !all.wanted(backward) && !all.wanted(adapted)) return;
  constexpr int rank = 16;
  const std::size_t count = elements(out, in);
  std::vector<unsigned char> codes(count / 2);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<unsigned char>(i * 2654435761u >> 7);
  const std::vector<float> scales(count / kernel::nf4_block, 0.05f);
  const int sets = all.sets_of(0.5625 * static_cast<double>(count));
  Copies<unsigned char> on_codes(sets, codes);
  Copies<float> on_scales(sets, scales);
  Copies<bf16> dense(all.sets_of(2.0 * static_cast<double>(count)), some_numbers<bf16>(count));
  for (int i = 0; i < all.sets_of(2.0 * static_cast<double>(count)); ++i)
    device::launch(all.stream(), {kernel::Nf4Dequantize<bf16>::grid(static_cast<Index>(count)), 1, 1},
                   kernel::Nf4Dequantize<bf16>{on_codes[0], {on_scales[0]}, dense[i], static_cast<Index>(count)});
  Copies<bf16> x(1, some_numbers<bf16>(elements(tokens, in))), dy(1, some_numbers<bf16>(elements(tokens, out)));
  Copies<bf16> b(1, some_numbers<bf16>(elements(out, rank))), u(1, some_numbers<bf16>(elements(tokens, rank)));
  device::Buffer<bf16> y(elements(tokens, out)), y_of_cublas(y.size()), dx(elements(tokens, in)),
      dx_of_cublas(dx.size());
  device::Buffer<float> partial(kernel::nf4_partial(tokens, out, in));
  const Floor floor = linear_floor(tokens, out, in, 0.5625);
  const std::string shape = shape_of(tokens, out, in);
  if (all.wanted(forward)) {
    all.add(forward, shape, floor,
            [&](int i) {
              kernel::nf4_matmul<bf16>(all.stream(), x[0], {on_codes[i], {on_scales[i]}}, y.data(), tokens, out, in,
                                       {partial.data(), partial.size()});
            },
            {{"cuBLAS in bf16",
              [&](int i) { cublas.product<kernel::Forward>(x[0], dense[i], y_of_cublas.data(), tokens, out, in); }}});
    require_near(all.stream(), y, y_of_cublas, forward);
  }
  all.add(adapted, shape, floor, [&](int i) {
    kernel::nf4_matmul<bf16>(all.stream(), x[0], {on_codes[i], {on_scales[i]}}, y.data(), tokens, out, in,
                             {partial.data(), partial.size()}, {}, {{u[0], rank}, {b[0], rank}, rank});
  });
  if (all.wanted(backward)) {
    all.add(backward, shape, floor,
            [&](int i) {
              kernel::nf4_input_gradient<bf16>(all.stream(), dy[0], {on_codes[i], {on_scales[i]}}, dx.data(), tokens,
                                               out, in);
            },
            {{"cuBLAS in bf16", [&](int i) {
                cublas.product<kernel::InputGradient>(dy[0], dense[i], dx_of_cublas.data(), tokens, in, out);
              }}});
    require_near(all.stream(), dx, dx_of_cublas, backward);
  }
}

inline void measure_products(Measurements& all) {
  Cublas cublas(all.stream());
  using Shape = std::vector<int>;
  // NF4 makes 1,536 in three parts.
  const std::vector<Shape> layers = all.size() == Size::tiny ? std::vector<Shape>{{128, 192}, {128, 1536}}
                                                             : std::vector<Shape>{{4096, 4096}, {14336, 4096}};
  const std::vector<int> counts =
      all.size() == Size::tiny ? std::vector<int>{64, 128} : std::vector<int>{16, 64, 512, 2048, 8192};
  const std::vector<int> few = all.size() == Size::tiny ? std::vector<int>{1, 16, 32, 128}
                                                        : std::vector<int>{1, 4, 8, 16, 32, 64, 512, 2048, 8192};
  for (const Shape& layer : layers) {
    const int out = layer[0], in = layer[1];
    for (const int tokens : counts) {
      measure_product<kernel::Forward, bf16>(all, cublas, "bf16 forward", tokens, out, in, tokens, out, in);
      measure_product<kernel::InputGradient, bf16>(all, cublas, "bf16 input gradient", tokens, out, in, tokens, in,
                                                   out);
      measure_product<kernel::WeightGradient, float>(all, cublas, "bf16 weight gradient", tokens, out, in, out, in,
                                                     tokens);
      measure_adapter(all, cublas, tokens, out, in);
    }
    for (const int tokens : few) measure_nf4(all, cublas, tokens, out, in);
  }
}

}  // namespace temper::bench
