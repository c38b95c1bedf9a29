// SPDX-License-Identifier: MIT
// matmul against double. Bound: products of bf16 are exact in float, so K additions, each of which a tensor core may
// truncate, are within K 2^-23 of the sum of magnitudes; scale, bias and add round once each, and so does the result.
#pragma once
#include "kernel/kernel_cases.hpp"
#include "temper/kernel/matmul.cuh"

namespace temper::test::kernels {

struct Product {
  int m, n, k;
  int extra = 0;  // how much longer a row of A and of B is than it has to be
  float scale = 1;
  enum class Terms { none, bias_and_add } terms = Terms::none;
};

template <class How, class Out, class Tile>
Outcome matmul_case(device::Stream& stream, const Product& p) {
  const bool a_along = How::a == kernel::Stored::along_k, b_along = How::b == kernel::Stored::along_k;
  const int a_stride = (a_along ? p.k : p.m) + p.extra, b_stride = (b_along ? p.k : p.n) + p.extra;
  Numbers numbers(static_cast<std::uint64_t>(p.m * 100 + p.n * 10 + p.k));
  const auto a = numbers.many<bf16>(size_of(a_along ? p.m : p.k, a_stride));
  const auto b = numbers.many<bf16>(size_of(b_along ? p.n : p.k, b_stride));
  const auto bias = numbers.many<bf16>(at(p.n));
  const auto add = numbers.many<Out>(size_of(p.m, p.n));
  const bool terms = p.terms == Product::Terms::bias_and_add;
  device::Buffer<bf16> on_a(a), on_b(b), on_bias(bias);
  device::Buffer<Out> on_c(add);  // added to itself
  using Kernel = kernel::Matmul<How, Out, Tile>;
  Kernel call{{on_a.data(), a_stride},    {on_b.data(), b_stride}, on_c.data(), p.m, p.n, p.k,
              {p.scale, nullptr, nullptr}};
  if (terms) {
    call.epilogue.bias = on_bias.data();
    call.epilogue.add = on_c.data();
  }
  device::launch(stream, Kernel::grid(p.m, p.n), call);
  const auto c = on_c.download(stream);
  Outcome outcome;
  for (int i = 0; i < p.m; ++i) {
    for (int j = 0; j < p.n; ++j) {
      double sum = 0, size = 0;
      for (int s = 0; s < p.k; ++s) {
        const double product = number(a[a_along ? at(i, a_stride, s) : at(s, a_stride, i)]) *
                               number(b[b_along ? at(j, b_stride, s) : at(s, b_stride, j)]);
        sum += product;
        size += std::abs(product);
      }
      sum *= number(p.scale);
      size *= std::abs(number(p.scale));
      double after = std::abs(sum);
      if (terms) {
        sum += number(bias[at(j)]) + number(add[at(i, p.n, j)]);
        after += std::abs(number(bias[at(j)])) + std::abs(number(add[at(i, p.n, j)]));
      }
      outcome.compare(number(c[at(i, p.n, j)]), sum,
                      (size * p.k * 0x1p-23 + 3 * after * 0x1p-24 + std::abs(sum) * unit_roundoff<Out>)*1.01 + 1e-30);
    }
  }
  return outcome;
}

inline KernelCases matmul_cases() {
  using device::Stream;
  using kernel::Forward, kernel::InputGradient, kernel::WeightGradient, kernel::SmallTile, kernel::LargeTile;
  KernelCases cases;
  const auto all_ways = [&](const std::string& what, Product p) {
    cases.push_back(
        {"matmul: forward " + what, [=](Stream& s) { return matmul_case<Forward, bf16, SmallTile>(s, p); }});
    cases.push_back({"matmul: input gradient " + what,
                     [=](Stream& s) { return matmul_case<InputGradient, bf16, SmallTile>(s, p); }});
    cases.push_back({"matmul: weight gradient " + what,
                     [=](Stream& s) { return matmul_case<WeightGradient, float, SmallTile>(s, p); }});
  };
  all_ways("64 x 64 x 32, one tile", {64, 64, 32});
  all_ways("1 x 1 x 1", {1, 1, 1});
  all_ways("70 x 72 x 136, tails", {70, 72, 136});
  all_ways("33 x 7 x 45, nothing aligned", {33, 7, 45});
  all_ways("17 x 24 x 40, rows with gaps, bias, sum and scale", {17, 24, 40, 8, 0.375f, Product::Terms::bias_and_add});
  const Product large{70, 136, 104, 0, 2, Product::Terms::bias_and_add};
  cases.push_back(
      {"matmul: forward large tile", [=](Stream& s) { return matmul_case<Forward, bf16, LargeTile>(s, large); }});
  cases.push_back({"matmul: input gradient large tile",
                   [=](Stream& s) { return matmul_case<InputGradient, bf16, LargeTile>(s, large); }});
  cases.push_back({"matmul: weight gradient large tile",
                   [=](Stream& s) { return matmul_case<WeightGradient, float, LargeTile>(s, large); }});
  return cases;
}

}  // namespace temper::test::kernels
