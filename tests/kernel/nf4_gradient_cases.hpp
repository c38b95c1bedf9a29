// SPDX-License-Identifier: MIT
// Gradients through NF4 weights against double, on the weights as Nf4Dequantize<bf16> has them. Bound: at most
// features + rank + 8 additions that may truncate, 2^-23 each.
#pragma once
#include "kernel/nf4_cases.hpp"
#include "temper/kernel/nf4_gradient.cuh"

namespace temper::test::kernels {

struct GradientShape {
  int tokens, features, width;
  ScaleForm form = ScaleForm::plain;
  int rank = 0;
};

template <class Out>
Outcome nf4_gradient(device::Stream& stream, const GradientShape& shape) {
  const auto [tokens, features, width, form, rank] = shape;
  Numbers numbers(static_cast<std::uint64_t>(tokens * 10000 + features * 100 + width));
  const auto dy = numbers.many<bf16>(size_of(tokens, features));
  const auto add = numbers.many<Out>(size_of(tokens, width));
  Nf4Weights weights = nf4_on_host(numbers.many<float>(size_of(features, width), 0.02f));
  const auto left = numbers.many<bf16>(size_of(tokens, rank)), right = numbers.many<bf16>(size_of(rank, width), 0.1f);
  device::Buffer<bf16> on_dy(dy), on_left(left), on_right(right);
  Nf4OnDevice on_device(weights, form);
  device::Buffer<Out> on_dx(add);
  kernel::nf4_input_gradient<Out>(stream, on_dy.data(), {on_device.codes(), on_device.scales()}, on_dx.data(), tokens,
                                  features, width, {0.5f, nullptr, on_dx.data()},
                                  {{on_left.data(), rank}, {on_right.data(), width}, rank});
  const auto dx = on_dx.download(stream);
  std::vector<double> weight(size_of(features, width));
  for (std::size_t i = 0; i < weight.size(); ++i)
    weight[i] = number(to_bf16(kernel::nf4_value(nf4_code_of(weights, i)) * weights.absmax[i / 64]));
  Outcome outcome;
  for (int t = 0; t < tokens; ++t) {
    for (int c = 0; c < width; ++c) {
      double sum = 0, size = 0;
      const auto product = [&](double a, double b) {
        sum += a * b;
        size += std::abs(a * b);
      };
      for (int k = 0; k < features; ++k) product(number(dy[at(t, features, k)]), weight[at(k, width, c)]);
      for (int k = 0; k < rank; ++k) product(number(left[at(t, rank, k)]), number(right[at(k, width, c)]));
      const double before = number(add[at(t, width, c)]);
      sum = sum / 2 + before;
      size /= 2;
      const double adding = size * (features + rank + 8) * 0x1p-23 + 2 * (size + std::abs(before)) * 0x1p-24;
      outcome.compare(number(dx[at(t, width, c)]), sum, adding + (std::abs(sum) + adding) * unit_roundoff<Out> * 1.01);
    }
  }
  return outcome;
}

inline KernelCases nf4_gradient_cases() {
  KernelCases cases;
  const auto add = [&]<class Out>(Out, const GradientShape& shape) {
    cases.push_back({"nf4_gradient: " + std::to_string(shape.tokens) + " x " + std::to_string(shape.features) + " x " +
                         std::to_string(shape.width) + (shape.form == ScaleForm::coded ? ", nested" : "") +
                         (shape.rank > 0 ? ", rank " + std::to_string(shape.rank) : ""),
                     [=](device::Stream& s) { return nf4_gradient<Out>(s, shape); }});
  };
  add(bf16{}, {1, 5, 64});
  add(float{}, {65, 97, 128});                      // large tiles, a tail of features
  add(bf16{}, {70, 40, 192, ScaleForm::coded, 8});  // half a tile beyond the width
  add(float{}, {9, 33, 77});                        // rows that begin inside a byte, blocks that run on
  add(float{}, {17, 3, 72, ScaleForm::coded, 35});  // more columns of adapters than features
  add(bf16{}, {3, 300, 64, ScaleForm::coded});      // more scales than share a float
  return cases;
}

}  // namespace temper::test::kernels
