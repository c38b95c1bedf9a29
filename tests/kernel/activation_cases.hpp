// SPDX-License-Identifier: MIT
// swiglu and rotary against double. Bounds: exp2 within 2 units (4 u) of an argument that is rounded once, which an x
// of size X turns into X u; each further operation u; the result is rounded to its format.
#pragma once
#include "kernel/kernel_cases.hpp"
#include "temper/kernel/activation.cuh"

namespace temper::test::kernels {

template <class T>
Outcome swiglu_case(device::Stream& stream, int count, int shift) {
  Numbers numbers(static_cast<std::uint64_t>(count));
  const std::size_t n = at(count + shift);
  auto gate = numbers.many<T>(n, 3), up = numbers.many<T>(n), dy = numbers.many<T>(n);
  gate.back() = rounded<T>(-120.0f);  // exp overflows
  gate.front() = rounded<T>(120.0f);
  device::Buffer<T> on_gate(gate), on_up(up), on_dy(dy), on_y(gate), on_dgate(gate), on_dup(gate);
  const int grid = kernel::elementwise_grid<T>(count);
  device::launch(stream, {grid, 1, 1},
                 kernel::Swiglu<T>{on_gate.data() + shift, on_up.data() + shift, on_y.data() + shift, count});
  device::launch(stream, {grid, 1, 1},
                 kernel::SwigluBackward<T>{on_gate.data() + shift, on_up.data() + shift, on_dy.data() + shift,
                                           on_dgate.data() + shift, on_dup.data() + shift, count});
  const auto y = on_y.download(stream), dgate = on_dgate.download(stream), dup = on_dup.download(stream);
  Outcome outcome;
  for (std::size_t i = at(shift); i < n; ++i) {
    const double g = number(gate[i]), s = 1 / (1 + std::exp(-g)), silu = g * s, d = number(dy[i]), u = number(up[i]);
    const double of_sigmoid = (std::abs(g) * 1.45 * 2 + 8) * 0x1p-24, result = unit_roundoff<T> * 1.01, tiny = 1e-36;
    outcome.compare(number(y[i]), silu * u, std::abs(silu * u) * (of_sigmoid + 0x1p-22 + result) + tiny);
    outcome.compare(number(dup[i]), silu * d, std::abs(silu * d) * (of_sigmoid + 0x1p-22 + result) + tiny);
    // The two terms may cancel, so their errors count by their sizes: s, and silu (1 - s) whose last factor loses u.
    const double slope = s + silu * (1 - s),
                 inner = s * of_sigmoid + std::abs(silu) * ((1 - s) * of_sigmoid + s * of_sigmoid + 0x1p-23);
    outcome.compare(number(dgate[i]), d * u * slope,
                    std::abs(d * u) * (inner + (std::abs(slope) + inner) * (0x1p-22 + result)) + tiny);
  }
  return outcome;
}

template <class T>
Outcome rotary_case(device::Stream& stream, int tokens, int heads, int width, kernel::Turn turn) {
  Numbers numbers(static_cast<std::uint64_t>(tokens * width));
  const int half = width / 2, known = 50;
  const auto x = numbers.many<T>(size_of(tokens, heads * width));
  std::vector<float> cosines(size_of(known, half)), sines(cosines.size());
  for (std::size_t i = 0; i < cosines.size(); ++i) {
    cosines[i] = std::cos(static_cast<float>(i));
    sines[i] = std::sin(static_cast<float>(i));
  }
  std::vector<std::int32_t> positions(at(tokens));
  for (std::int32_t& p : positions) p = numbers.below(known);
  device::Buffer<T> on_x(x);
  device::Buffer<float> on_cosines(cosines), on_sines(sines);
  device::Buffer<std::int32_t> on_positions(positions);
  device::launch(
      stream, {tokens, 1, 1},
      kernel::Rotary<T>{on_x.data(), on_positions.data(), on_cosines.data(), on_sines.data(), heads, width, turn});
  const auto got = on_x.download(stream);
  Outcome outcome;
  for (int t = 0; t < tokens; ++t) {
    for (int h = 0; h < heads; ++h) {
      for (int c = 0; c < half; ++c) {
        const std::size_t first = at(t * heads + h, width, c), second = first + at(half),
                          entry = at(positions[at(t)], half, c);
        const double a = number(x[first]), b = number(x[second]), cosine = number(cosines[entry]);
        const double sine = turn == kernel::Turn::forward ? number(sines[entry]) : -number(sines[entry]);
        const double one = a * cosine - b * sine, two = b * cosine + a * sine, r = unit_roundoff<T> * 1.01;
        outcome.compare(number(got[first]), one, std::abs(b * sine) * 0x1p-23 + std::abs(one) * (r + 0x1p-24));
        outcome.compare(number(got[second]), two, std::abs(a * sine) * 0x1p-23 + std::abs(two) * (r + 0x1p-24));
      }
    }
  }
  return outcome;
}

inline KernelCases activation_cases() {
  using device::Stream;
  using kernel::Turn;
  return {
      {"swiglu: bf16, 2100", [](Stream& s) { return swiglu_case<bf16>(s, 2100, 0); }},
      {"swiglu: bf16, 77, not aligned", [](Stream& s) { return swiglu_case<bf16>(s, 77, 1); }},
      {"swiglu: float, 1030", [](Stream& s) { return swiglu_case<float>(s, 1030, 0); }},
      {"swiglu: float, 1", [](Stream& s) { return swiglu_case<float>(s, 1, 0); }},
      {"rotary: bf16, width 64", [](Stream& s) { return rotary_case<bf16>(s, 5, 3, 64, Turn::forward); }},
      {"rotary: float, width 6, back", [](Stream& s) { return rotary_case<float>(s, 4, 2, 6, Turn::back); }},
  };
}

}  // namespace temper::test::kernels
