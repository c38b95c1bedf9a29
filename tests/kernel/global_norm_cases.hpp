// SPDX-License-Identifier: MIT
// The norm over many tensors against double. Bound: a piece is a chain of at most 16384 / 256 + 8 squares a thread, 5
// steps within a warp and 5 among warps; then the sum and its root round once each, and the root halves what came in.
#pragma once
#include <algorithm>
#include <memory>

#include "kernel/kernel_cases.hpp"
#include "temper/kernel/global_norm.cuh"

namespace temper::test::kernels {

template <class T>
Outcome global_norm(device::Stream& stream, const std::vector<int>& counts, float most) {
  Numbers numbers(counts.size());
  std::vector<std::unique_ptr<device::Buffer<T>>> tensors;
  std::vector<kernel::TensorPiece<T>> pieces;
  double sum = 0;
  for (const int count : counts) {
    const auto x = numbers.many<T>(at(count));
    for (const T value : x) sum += number(value) * number(value);
    tensors.push_back(std::make_unique<device::Buffer<T>>(x));
    kernel::add_pieces<T>(pieces, tensors.back()->data(), count);
  }
  device::Buffer<kernel::TensorPiece<T>> on_pieces(pieces);
  device::Buffer<float> sums(pieces.size());
  device::Buffer<kernel::GlobalNorm> result(1);
  const int n = static_cast<int>(pieces.size());
  device::launch(stream, {n, 1, 1}, kernel::SquaresOfPieces<T>{on_pieces.data(), sums.data()});
  device::launch(stream, {}, kernel::NormOfPieces{sums.data(), n, most, result.data()});
  const kernel::GlobalNorm found = result.download(stream)[0];
  const double norm = std::sqrt(sum), bound = ((kernel::piece_elements / 256 + 8 + 10) / 2.0 + 2) * 0x1p-24;
  const double factor = most > 0 ? std::min(1.0, number(most) / (norm + 1e-6)) : 1.0;
  Outcome outcome;
  outcome.compare(number(found.norm), norm, norm * bound * 1.01);
  outcome.compare(number(found.factor), factor, factor == 1 ? 0 : factor * (bound + 0x1p-22));
  return outcome;
}

inline KernelCases global_norm_cases() {
  using device::Stream;
  return {
      {"global_norm: bf16, many tensors, clipped",
       [](Stream& s) {
         return global_norm<bf16>(s, {1, 20000, 64, 0, 300, 7, 33000}, 1);
       }},
      {"global_norm: float, small enough",
       [](Stream& s) {
         return global_norm<float>(s, {5, 16385}, 1e6f);
       }},
      {"global_norm: no limit", [](Stream& s) { return global_norm<float>(s, {100}, 0); }},
      {"global_norm: no tensor", [](Stream& s) { return global_norm<float>(s, {}, 1); }},
  };
}

}  // namespace temper::test::kernels
