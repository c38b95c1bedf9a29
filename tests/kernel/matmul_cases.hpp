// SPDX-License-Identifier: MIT
// matmul against double. Bound: products of bf16 are exact in float, so K additions, each of which a tensor core may
// truncate, are within K 2^-23 of the sum of magnitudes; scale, bias and add round once each, and so does the result.
// An activation turns an error e of its argument into 1.13 e at most; its sigmoid is that of swiglu
// (activation_cases.hpp).
#pragma once
#include "kernel/kernel_cases.hpp"
#include "temper/kernel/matmul_parts.cuh"

namespace temper::test::kernels {

struct Product {
  int m, n, k;
  int extra = 0;  // how much longer a row of A and of B is than it has to be
  float scale = 1;
  enum class Terms { none, bias_and_add, all } terms = Terms::none;
  int rank = 0;   // of a second product, added to the first
  int parts = 1;  // of K
};

// x sigmoid(t); the error that its own operations make of it, and the argument of its sigmoid.
struct Activated {
  double value, error;
};
inline Activated activated(kernel::Activation activation, double x) {
  if (activation == kernel::Activation::none) return {x, 0};
  const double t =
      activation == kernel::Activation::silu ? x : 2 * std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x);
  const double value = x / (1 + std::exp(-t));
  return {value, std::abs(value) * (std::abs(t) * 8 + 12) * 0x1p-24};  // t is within 5 u of its size
}

template <class How, class Out, class Tile, kernel::Activation A = kernel::Activation::none>
Outcome matmul_case(device::Stream& stream, const Product& p) {
  const bool a_along = How::a == kernel::Stored::along_k, b_along = How::b == kernel::Stored::along_k;
  const int a_stride = (a_along ? p.k : p.m) + p.extra, b_stride = (b_along ? p.k : p.n) + p.extra;
  Numbers numbers(static_cast<std::uint64_t>(p.m * 100 + p.n * 10 + p.k));
  const auto a = numbers.many<bf16>(size_of(a_along ? p.m : p.k, a_stride));
  const auto b = numbers.many<bf16>(size_of(b_along ? p.n : p.k, b_stride));
  const auto bias = numbers.many<bf16>(at(p.n));
  const auto add = numbers.many<Out>(size_of(p.m, p.n));
  const auto columns = numbers.many<float>(at(p.n));
  const bool terms = p.terms != Product::Terms::none, scaled_columns = p.terms == Product::Terms::all;
  const int right_stride = b_along ? p.rank : p.n;
  const auto left = numbers.many<bf16>(size_of(p.m, p.rank)), right = numbers.many<bf16>(size_of(p.n, p.rank));
  device::Buffer<bf16> on_a(a), on_b(b), on_bias(bias), on_left(left), on_right(right);
  device::Buffer<float> on_columns(columns), partial(p.parts > 1 ? at(p.parts) * size_of(p.m, p.n) : 0);
  device::Buffer<Out> on_c(add);  // added to itself
  using Kernel = kernel::Matmul<How, Out, Tile, A>;
  Kernel call{{on_a.data(), a_stride},
              {on_b.data(), b_stride},
              on_c.data(),
              p.m,
              p.n,
              p.k,
              {p.scale, nullptr, nullptr, scaled_columns ? on_columns.data() : nullptr},
              {{on_left.data(), p.rank}, {on_right.data(), right_stride}, p.rank}};
  if (terms) {
    call.epilogue.bias = on_bias.data();
    call.epilogue.add = on_c.data();
  }
  if constexpr (A == kernel::Activation::none)
    kernel::matmul_in_parts(stream, call, p.parts, partial.data());
  else
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
      for (int r = 0; r < p.rank; ++r) {
        const double product =
            number(left[at(i, p.rank, r)]) * number(right[b_along ? at(j, right_stride, r) : at(r, right_stride, j)]);
        sum += product;
        size += std::abs(product);
      }
      const double scale = number(p.scale) * (scaled_columns ? number(columns[at(j)]) : 1.0);
      sum *= scale;
      size *= std::abs(scale);
      double after = std::abs(sum);
      if (terms) {
        sum += number(bias[at(j)]);
        after += std::abs(number(bias[at(j)]));
      }
      const auto [value, of_activation] = activated(A, sum);
      double error = size * (p.k + p.rank + p.parts) * 0x1p-23 + 4 * after * 0x1p-24;
      if (A != kernel::Activation::none) error = 1.13 * error + of_activation;
      sum = value;
      if (terms) {
        sum += number(add[at(i, p.n, j)]);
        error += 4 * (std::abs(value) + std::abs(number(add[at(i, p.n, j)]))) * 0x1p-24;
      }
      outcome.compare(number(c[at(i, p.n, j)]), sum, (error + std::abs(sum) * unit_roundoff<Out>)*1.01 + 1e-30);
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
  cases.push_back({"matmul: forward with silu, bias and sum", [=](Stream& s) {
                     return matmul_case<Forward, bf16, SmallTile, kernel::Activation::silu>(
                         s, {33, 24, 45, 0, 2, Product::Terms::all});
                   }});
  cases.push_back({"matmul: forward large tile with gelu", [=](Stream& s) {
                     return matmul_case<Forward, bf16, LargeTile, kernel::Activation::gelu>(s, {70, 136, 40});
                   }});
  // Base and adapters in one pass, and the skinny products that come before.
  for (const int rank : {8, 35}) {
    const Product adapted{40, 72, 48, 0, 1, Product::Terms::bias_and_add, rank};
    const std::string what = "with a product of rank " + std::to_string(rank);
    cases.push_back(
        {"matmul: forward " + what, [=](Stream& s) { return matmul_case<Forward, bf16, SmallTile>(s, adapted); }});
    cases.push_back({"matmul: input gradient " + what,
                     [=](Stream& s) { return matmul_case<InputGradient, float, SmallTile>(s, adapted); }});
  }
  const Product skinny{70, 8, 136, 0, 0.5f};
  cases.push_back({"matmul: forward skinny tile",
                   [=](Stream& s) { return matmul_case<Forward, bf16, kernel::SkinnyTile>(s, skinny); }});
  cases.push_back({"matmul: input gradient skinny tile",
                   [=](Stream& s) { return matmul_case<InputGradient, bf16, kernel::SkinnyTile>(s, skinny); }});
  cases.push_back({"matmul: weight gradient skinny tile",
                   [=](Stream& s) { return matmul_case<WeightGradient, float, kernel::SkinnyTile>(s, skinny); }});
  // In parts of K: the last is short; fewer parts than were asked for; as many as the shape asks for.
  const auto in_parts = [](Product p, int parts) {
    p.parts = parts;
    return p;
  };
  cases.push_back({"matmul: weight gradient skinny tile in 3 parts", [=](Stream& s) {
                     return matmul_case<WeightGradient, float, kernel::SkinnyTile>(s, in_parts({70, 8, 290}, 3));
                   }});
  cases.push_back({"matmul: weight gradient flat tile in 4 parts, all terms", [=](Stream& s) {
                     return matmul_case<WeightGradient, float, kernel::FlatTile>(
                         s, in_parts({8, 72, 290, 8, 2, Product::Terms::all}, 4));
                   }});
  cases.push_back(
      {"matmul: forward in 3 parts with a product of rank 5, nothing aligned", [=](Stream& s) {
         return matmul_case<Forward, bf16, SmallTile>(s, in_parts({9, 21, 101, 0, 2, Product::Terms::all, 5}, 3));
       }});
  cases.push_back(
      {"matmul: weight gradient of 2100 tokens", [=](Stream& s) {
         const int parts = kernel::parts_of<kernel::FlatTile>(16, 40, 2100);
         Outcome outcome = matmul_case<WeightGradient, float, kernel::FlatTile>(s, in_parts({16, 40, 2100}, parts));
         outcome.compare(parts, 2, 0);
         outcome.compare(kernel::parts_of<kernel::SkinnyTile>(4096, 16, 16384), 8, 0);
         outcome.compare(kernel::parts_of<SmallTile>(4096, 4096, 16384), 1, 0);
         outcome.compare(kernel::parts_of<SmallTile>(0, 5, 0), 1, 0);
         return outcome;
       }});
  return cases;
}

}  // namespace temper::test::kernels
