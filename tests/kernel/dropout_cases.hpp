// SPDX-License-Identifier: MIT
// Dropout by kernels has the bits of temper::Random, element by element.
#pragma once
#include "kernel/kernel_cases.hpp"
#include "temper/kernel/dropout.cuh"

namespace temper::test::kernels {

template <class T>
Outcome dropout_bits(device::Stream& stream, int count, double probability, std::uint64_t offset) {
  Numbers numbers(static_cast<std::uint64_t>(count));
  const auto x = numbers.many<T>(at(count));
  const Random random{0x123456789abcdef0u, random_site("q_proj dropout"), 7};
  device::Buffer<T> on_x(x), on_y(x.size());
  device::launch(stream, {kernel::Dropout<T>::grid(count), 1, 1},
                 kernel::dropout<T>(on_x.data(), on_y.data(), count, probability, random, offset));
  const auto y = on_y.download(stream);
  const auto scale = static_cast<float>(1 / (1 - probability));
  Outcome outcome;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float kept = static_cast<float>(number(x[i])) * scale;
    outcome.compare(number(y[i]), random.uniform(offset + i) >= probability ? number(rounded<T>(kept)) : 0.0, 0);
  }
  return outcome;
}

inline KernelCases dropout_cases() {
  using device::Stream;
  const std::uint64_t far = std::uint64_t{1} << 34;  // blocks of four beyond 32 bits
  return {
      {"dropout: bf16", [](Stream& s) { return dropout_bits<bf16>(s, 3000, 0.1, 0); }},
      {"dropout: float, an offset within a block of four",
       [](Stream& s) { return dropout_bits<float>(s, 1001, 0.5, 6); }},
      {"dropout: bf16, far in the stream", [=](Stream& s) { return dropout_bits<bf16>(s, 100, 0.25, far - 40); }},
      {"dropout: nothing is dropped", [](Stream& s) { return dropout_bits<bf16>(s, 9, 0, 1); }},
  };
}

}  // namespace temper::test::kernels
