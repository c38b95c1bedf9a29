// SPDX-License-Identifier: MIT
// DoRA against double. u = 2^-24; a chain of n additions is within n u of the sum of magnitudes. Norms: an element w +
// s (B A) is within e = |s| (rank + 1) 2u sum |b a| (tensor cores may truncate) + 3u (|w| + |s B A|), so a norm is
// within (sum of 2 |v| e + e^2 + (32 + 3 + parts) u v^2) / norm of the exact one, and root and ratio round once each.
#pragma once
#include "kernel/nf4_cases.hpp"
#include "temper/kernel/dora.cuh"

namespace temper::test::kernels {

struct DoraShape {
  int features, width, rank;
  ScaleForm form = ScaleForm::plain;
};

template <class Rows>
Outcome dora_norms_case(device::Stream& stream, const DoraShape& shape) {
  using Kernel = kernel::DoraSquares<Rows>;
  const auto [features, width, rank, form] = shape;
  Numbers numbers(static_cast<std::uint64_t>(features * 1000 + width + rank));
  auto dense = numbers.many<bf16>(size_of(features, width), 0.02f);
  for (int c = 0; c < width; ++c) dense[at(features - 1, width, c)] = bf16{0};
  const auto a = numbers.many<bf16>(size_of(rank, width), 0.1f);
  auto b = numbers.many<bf16>(size_of(features, rank), 0.1f);
  for (int r = 0; r < rank; ++r) b[at(features - 1, rank, r)] = bf16{0};  // the last row's norm is 0
  const auto magnitude = numbers.many<float>(at(features));
  Nf4Weights weights = nf4_on_host(dense);
  Nf4OnDevice on_device(weights, form);
  device::Buffer<bf16> on_dense(dense), on_a(a), on_b(b);
  Rows rows{};
  std::vector<double> w(dense.size());
  if constexpr (std::is_same_v<Rows, kernel::DenseRows>) {
    rows = {on_dense.data()};
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = number(dense[i]);
  } else {
    rows = {{on_device.codes(), on_device.scales()}};
    for (std::size_t i = 0; i < w.size(); ++i)
      w[i] = number(kernel::nf4_value(nf4_code_of(weights, i))) * number(weights.absmax[i / 64]);
  }
  const float scale = 1.5f;
  const int parts = Kernel::parts(width);
  device::Buffer<float> partial(size_of(parts, features)), on_magnitude(magnitude), norms(at(features));
  device::Buffer<float> factor(at(features)), change(at(features));
  device::launch(stream, Kernel::grid(features, width),
                 Kernel{rows, {on_a.data(), width}, {on_b.data(), rank}, scale, partial.data(), features, width, rank});
  device::launch(stream, {kernel::DoraNorms::grid(features), 1, 1},
                 kernel::DoraNorms{partial.data(), parts, features, on_magnitude.data(), norms.data(), factor.data(),
                                   change.data()});
  const auto found = norms.download(stream), ratio = factor.download(stream), less = change.download(stream);
  Outcome outcome;
  const double u = 0x1p-24;
  for (int o = 0; o < features; ++o) {
    double squares = 0, error = 0;
    for (int c = 0; c < width; ++c) {
      double low = 0, size = 0;
      for (int r = 0; r < rank; ++r) {
        const double product = number(b[at(o, rank, r)]) * number(a[at(r, width, c)]);
        low += product;
        size += std::abs(product);
      }
      const double base = w[at(o, width, c)], v = base + number(scale) * low;
      const double of_v = number(scale) * (rank + 1) * 2 * u * size + 3 * u * (std::abs(base) + 1.5 * std::abs(low));
      squares += v * v;
      error += 2 * std::abs(v) * of_v + of_v * of_v;
    }
    const double norm = std::sqrt(squares);
    error = norm > 0 ? (error + squares * (32 + 3 + parts) * u) / norm + norm * u : 0.0;
    outcome.compare(number(found[at(o)]), norm, error);
    const double expected = number(magnitude[at(o)]) / (norm > 0 ? norm : 1.0);
    const double of_ratio = std::abs(expected) * (norm > 0 ? error / norm * 1.01 + u : u);
    outcome.compare(number(ratio[at(o)]), expected, of_ratio);
    outcome.compare(number(less[at(o)]), expected - 1, of_ratio + std::abs(expected - 1) * u * 1.01);
  }
  return outcome;
}

// The gradients: from u, and from y with its bias; on top of what was there, and in its place.
inline Outcome dora_backward(device::Stream& stream, int tokens, int features, kernel::Into into) {
  Numbers numbers(static_cast<std::uint64_t>(tokens * 1000 + features));
  const bool biased = into == kernel::Into::add;
  const auto dy = numbers.many<bf16>(size_of(tokens, features)), y = numbers.many<bf16>(dy.size());
  const auto bias = numbers.many<bf16>(at(features));
  const auto factor = numbers.many<float>(at(features)), before = numbers.many<float>(at(features));
  auto divisor = numbers.many<float>(at(features));
  divisor[0] = 0;
  device::Buffer<bf16> on_dy(dy), on_y(y), on_bias(bias), scaled(dy.size());
  const int parts = kernel::DoraColumns::parts(tokens);
  device::Buffer<float> on_factor(factor), on_divisor(divisor), on_gradient(before), partial(size_of(parts, features));
  device::launch(stream, kernel::DoraColumns::grid(tokens, features),
                 kernel::DoraColumns{on_dy.data(), on_y.data(), biased ? on_bias.data() : nullptr, on_factor.data(),
                                     scaled.data(), partial.data(), tokens, features});
  device::launch(
      stream, {kernel::MagnitudeGradient::grid(features), 1, 1},
      kernel::MagnitudeGradient{partial.data(), parts, features, on_divisor.data(), on_gradient.data(), into});
  const auto products = scaled.download(stream);
  const auto gradient = on_gradient.download(stream);
  Outcome outcome;
  for (int o = 0; o < features; ++o) {
    double sum = 0, size = 0;
    for (int t = 0; t < tokens; ++t) {
      const std::size_t i = at(t, features, o);
      outcome.compare(number(products[i]), number(to_bf16(static_cast<float>(number(dy[i])) * factor[at(o)])), 0);
      const double term = number(dy[i]) * (number(y[i]) - (biased ? number(bias[at(o)]) : 0.0));
      sum += term;
      size += std::abs(term);
    }
    const double by = divisor[at(o)] != 0 ? number(divisor[at(o)]) : 1.0, start = biased ? number(before[at(o)]) : 0.0;
    const int chain = kernel::DoraColumns::tokens_a_block / 8 + 8 + parts + 2;
    outcome.compare(number(gradient[at(o)]), start + sum / by,
                    (size / std::abs(by) * (chain + 1) + std::abs(sum / by) + std::abs(start + sum / by)) * 0x1p-24);
  }
  return outcome;
}

inline KernelCases dora_cases() {
  using device::Stream;
  KernelCases cases;
  const auto norms = [&](const DoraShape& shape) {
    const std::string what =
        std::to_string(shape.features) + " x " + std::to_string(shape.width) + ", rank " + std::to_string(shape.rank);
    cases.push_back(
        {"dora: norms, bf16, " + what, [=](Stream& s) { return dora_norms_case<kernel::DenseRows>(s, shape); }});
    if (shape.width % 64 != 0) return;
    cases.push_back({"dora: norms, NF4, " + what + (shape.form == ScaleForm::coded ? ", nested" : ""),
                     [=](Stream& s) { return dora_norms_case<kernel::Nf4CodeRows>(s, shape); }});
  };
  norms({1, 1, 1});
  norms({70, 320, 8});
  norms({9, 77, 5});
  norms({5, 128, 40, ScaleForm::coded});
  norms({3, 64, 0});  // before B has moved
  const auto backward = [&](int tokens, int features, kernel::Into into) {
    cases.push_back({"dora: backward, " + std::to_string(tokens) + " x " + std::to_string(features),
                     [=](Stream& s) { return dora_backward(s, tokens, features, into); }});
  };
  backward(1, 5, kernel::Into::overwrite);
  backward(130, 264, kernel::Into::add);
  backward(40, 33, kernel::Into::add);
  return cases;
}

}  // namespace temper::test::kernels
