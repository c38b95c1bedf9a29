// SPDX-License-Identifier: MIT
// rms_norm against double. Bounds: a sum of n terms in which a thread adds k in a row and then a tree of 10, is within
// (k + 12) u of the sum of magnitudes, u = 2^-24; a root halves a relative error, and the GPU's is within 4 u of its
// own.
#pragma once
#include "kernel/kernel_cases.hpp"
#include "temper/kernel/rms_norm.cuh"

namespace temper::test::kernels {

inline double added_in_a_row(int columns) {
  return device::divide_up(columns, 256 * 8) * 8 + device::divide_up(columns, 256) + 12;
}

enum class Residual { none, added };

template <class T>
Outcome rms_norm_forward(device::Stream& stream, int rows, int columns, Residual residual = Residual::none) {
  Numbers numbers(static_cast<std::uint64_t>(rows * 1000 + columns));
  auto x = numbers.many<T>(size_of(rows, columns), 3);
  const auto weight = numbers.many<T>(at(columns)), more = numbers.many<T>(x.size(), 2);
  const float epsilon = 1e-5f;
  device::Buffer<T> on_x(x), on_weight(weight), on_y(x.size()), on_stream(more);
  device::Buffer<float> on_inverse(at(rows));
  kernel::RmsNorm<T> norm{on_x.data(), on_weight.data(), on_y.data(), on_inverse.data(), columns, epsilon};
  if (residual == Residual::added) norm.residual = norm.stream = on_stream.data();
  device::launch(stream, {rows, 1, 1}, norm);
  const auto y = on_y.download(stream), sums = on_stream.download(stream);
  const auto inverse = on_inverse.download(stream);
  const double u = 0x1p-24, of_inverse = ((added_in_a_row(columns) + 2) / 2 + 4) * u * 1.01;
  Outcome outcome;
  if (residual == Residual::added)
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = rounded<T>(static_cast<float>(number(x[i]) + number(more[i])));  // the sum of two is exact in double
      outcome.compare(number(sums[i]), number(x[i]), 0);
    }
  for (int r = 0; r < rows; ++r) {
    double squares = 0;
    for (int c = 0; c < columns; ++c) squares += number(x[at(r, columns, c)]) * number(x[at(r, columns, c)]);
    const double expected = 1 / std::sqrt(squares / columns + number(epsilon));
    outcome.compare(number(inverse[at(r)]), expected, expected * of_inverse);
    for (int c = 0; c < columns; ++c) {
      const double value = number(x[at(r, columns, c)]) * expected * number(weight[at(c)]);
      outcome.compare(number(y[at(r, columns, c)]), value,
                      std::abs(value) * (of_inverse + 2.02 * u + 1.01 * unit_roundoff<T>)+1e-38);
    }
  }
  return outcome;
}

template <class T>
Outcome rms_norm_backward(device::Stream& stream, int rows, int columns) {
  Numbers numbers(static_cast<std::uint64_t>(rows * 1000 + columns) + 7);
  const auto x = numbers.many<T>(size_of(rows, columns), 3), dy = numbers.many<T>(x.size()),
             weight = numbers.many<T>(at(columns));
  std::vector<float> inverse(at(rows));
  for (float& r : inverse) r = 0.2f + numbers.uniform();  // any will do: the formula does not ask where it comes from
  device::Buffer<T> on_x(x), on_dy(dy), on_weight(weight), on_dx(x.size());
  device::Buffer<float> on_inverse(inverse), on_dweight(at(columns));
  device::launch(stream, {rows, 1, 1},
                 kernel::RmsNormBackward<T>{on_x.data(), on_weight.data(), on_inverse.data(), on_dy.data(),
                                            on_dx.data(), columns});
  device::launch(
      stream, {device::divide_up(columns, 32), 1, 1},
      kernel::RmsNormWeightBackward<T>{on_x.data(), on_inverse.data(), on_dy.data(), on_dweight.data(), rows, columns});
  const auto dx = on_dx.download(stream);
  const auto dweight = on_dweight.download(stream);
  const double u = 0x1p-24 * 1.01;
  std::vector<double> sum(at(columns)), magnitude(at(columns));
  Outcome outcome;
  for (int r = 0; r < rows; ++r) {
    const double inv = number(inverse[at(r)]);
    double product = 0, size = 0;
    for (int c = 0; c < columns; ++c) {
      const double term = number(dy[at(r, columns, c)]) * number(weight[at(c)]) * number(x[at(r, columns, c)]);
      product += term;
      size += std::abs(term);
      const double of_weight = number(dy[at(r, columns, c)]) * number(x[at(r, columns, c)]) * inv;
      sum[at(c)] += of_weight;
      magnitude[at(c)] += std::abs(of_weight);
    }
    for (int c = 0; c < columns; ++c) {
      const double direct = number(dy[at(r, columns, c)]) * number(weight[at(c)]), value = number(x[at(r, columns, c)]);
      const double expected = inv * (direct - value * inv * inv * product / columns);
      const double inner =
          std::abs(direct) * 2 * u + std::abs(value) * inv * inv * size / columns * (added_in_a_row(columns) + 8) * u;
      outcome.compare(number(dx[at(r, columns, c)]), expected,
                      inv * inner + (std::abs(expected) + inv * inner) * (2 * u + 1.01 * unit_roundoff<T>)+1e-38);
    }
  }
  for (int c = 0; c < columns; ++c)
    outcome.compare(number(dweight[at(c)]), sum[at(c)], magnitude[at(c)] * (device::divide_up(rows, 8) + 11) * u);
  return outcome;
}

inline KernelCases rms_norm_cases() {
  KernelCases cases;
  const std::pair<int, int> shapes[] = {{1, 1}, {3, 100}, {2, 257}, {5, 24}, {2, 2056}, {37, 40}};
  for (const auto& [rows, columns] : shapes) {
    const std::string shape = std::to_string(rows) + " x " + std::to_string(columns);
    const int r = rows, c = columns;
    cases.push_back({"rms_norm: float " + shape, [=](device::Stream& s) { return rms_norm_forward<float>(s, r, c); }});
    cases.push_back({"rms_norm: bf16 " + shape, [=](device::Stream& s) { return rms_norm_forward<bf16>(s, r, c); }});
    cases.push_back({"rms_norm: with a residual bf16 " + shape,
                     [=](device::Stream& s) { return rms_norm_forward<bf16>(s, r, c, Residual::added); }});
    cases.push_back(
        {"rms_norm: backward float " + shape, [=](device::Stream& s) { return rms_norm_backward<float>(s, r, c); }});
    cases.push_back(
        {"rms_norm: backward bf16 " + shape, [=](device::Stream& s) { return rms_norm_backward<bf16>(s, r, c); }});
  }
  return cases;
}

}  // namespace temper::test::kernels
