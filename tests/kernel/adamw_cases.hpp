// SPDX-License-Identifier: MIT
// AdamW against double from the same state. Bounds follow the formula: each operation rounds once, u = 2^-24, divisions
// and roots exactly so.
#pragma once
#include "kernel/kernel_cases.hpp"
#include "temper/kernel/adamw.cuh"

namespace temper::test::kernels {

inline Outcome adamw_case(device::Stream& stream, int count, int steps, int shift) {
  Numbers numbers(static_cast<std::uint64_t>(count));
  const std::size_t n = at(count + shift);
  auto value = numbers.many<float>(n);
  std::vector<float> first(n), second(n);
  device::Buffer<float> on_value(value), on_first(first), on_second(second), on_gradient(n);
  const double rate = 1e-2, beta1 = 0.9, beta2 = 0.999, decay = 0.1, scale = 0.5;
  const double u = 0x1p-24;
  Outcome outcome;
  for (int step = 1; step <= steps; ++step) {
    auto gradient = numbers.many<float>(n, 0.1f);
    if (n > 2) gradient[n / 2] = 0;
    on_gradient.upload(gradient);
    const double correction1 = 1 - std::pow(beta1, step), correction2 = 1 - std::pow(beta2, step);
    const kernel::AdamWFactors f{static_cast<float>(scale),
                                 static_cast<float>(1 - rate * decay),
                                 static_cast<float>(1 - beta1),
                                 static_cast<float>(1 - beta2),
                                 static_cast<float>(beta2),
                                 static_cast<float>(std::sqrt(correction2)),
                                 static_cast<float>(-rate / correction1),
                                 1e-8f};
    device::launch(stream, {kernel::elementwise_grid<float>(count), 1, 1},
                   kernel::AdamW{on_value.data() + shift, on_gradient.data() + shift, on_first.data() + shift,
                                 on_second.data() + shift, count, f});
    const auto new_value = on_value.download(stream), new_first = on_first.download(stream),
               new_second = on_second.download(stream);
    for (std::size_t i = at(shift); i < n; ++i) {
      const double g = number(gradient[i]) * number(f.gradient_scale);
      const double m = number(first[i]) + number(f.new_first) * (g - number(first[i]));
      const double v = number(second[i]) * number(f.old_second) + number(f.new_second) * g * g;
      outcome.compare(number(new_first[i]), m, (std::abs(m) + 3 * std::abs(g) + std::abs(first[i])) * 2 * u + 1e-40);
      outcome.compare(number(new_second[i]), v, v * 6 * u + 1e-40);
      // From the moments as they are now, so that the bound is of this formula alone.
      const double move = number(f.size) * number(new_first[i]) /
                          (std::sqrt(number(new_second[i])) / number(f.root_correction) + number(f.epsilon));
      const double p = number(value[i]) * number(f.kept) + move;
      outcome.compare(number(new_value[i]), p, std::abs(move) * 6 * u + std::abs(p) * 1.01 * u + 1e-40);
    }
    value = new_value;
    first = new_first;
    second = new_second;
  }
  return outcome;
}

inline KernelCases adamw_cases() {
  return {
      {"adamw: 2500 elements, three steps", [](device::Stream& s) { return adamw_case(s, 2500, 3, 0); }},
      {"adamw: 1 element", [](device::Stream& s) { return adamw_case(s, 1, 2, 0); }},
      {"adamw: 70 elements, not aligned", [](device::Stream& s) { return adamw_case(s, 70, 2, 3); }},
  };
}

}  // namespace temper::test::kernels
