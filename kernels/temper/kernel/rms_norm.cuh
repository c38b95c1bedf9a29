// SPDX-License-Identifier: MIT
// y = x weight / rms(x), rms(x)^2 = mean(x^2) + epsilon along a row (Zhang and Sennrich 2019), and its gradients. With
// r = 1 / rms(x):  dx = r (weight dy - x r^2 mean(weight dy x)),  dweight = sum over rows of dy x r.
// Rows are read in pieces of 16 bytes where they allow it; sums are in float, in an order that is fixed.
#pragma once
#include "temper/kernel/row_pieces.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// One row a block. x, y [T, D]; weight [D]; inverse_rms [T]. With a residual [T, D] it is x + residual that is
// normalised, as the type has it, and that is written to stream [T, D], which may be either of the two.
template <class T>
struct RmsNorm {
  static constexpr int threads = 256, width = 16 / int{sizeof(T)};
  struct Shared {
    float partial[threads / device::warp_size];
  };
  const T* x;
  const T* weight;
  T* y;
  float* inverse_rms;
  int columns;
  float epsilon;
  const T* residual = nullptr;
  T* stream = nullptr;

  TEMPER_DEVICE void operator()(device::Block<RmsNorm>& block) const {
    const Index row = block.index().x;
    const T* from = x + row * columns;
    T* to = y + row * columns;
    const int pieces = whole_pieces<width>(columns, x, y, weight, residual, stream);
    if (residual != nullptr) from = add_residual(block, row * columns, pieces);
    float squares = 0;
    for (int p = block.thread(); p < pieces; p += threads) {
      const auto piece = device::load<width>(from + Index{p} * width);
      TEMPER_UNROLL
      for (int i = 0; i < width; ++i) squares += device::square(device::widen(piece[i]));
    }
    for (int c = pieces * width + block.thread(); c < columns; c += threads)
      squares += device::square(device::widen(from[c]));
    const float mean = block_sum(block, squares, block.shared.partial) / static_cast<float>(columns);
    const float inverse = device::inverse_root(mean + epsilon);

    for (int p = block.thread(); p < pieces; p += threads) {
      auto piece = device::load<width>(from + Index{p} * width);
      const auto scale = device::load<width>(weight + Index{p} * width);
      TEMPER_UNROLL
      for (int i = 0; i < width; ++i)
        piece[i] = device::narrow<T>(device::widen(piece[i]) * inverse * device::widen(scale[i]));
      device::store(to + Index{p} * width, piece);
    }
    for (int c = pieces * width + block.thread(); c < columns; c += threads)
      to[c] = device::narrow<T>(device::widen(from[c]) * inverse * device::widen(weight[c]));
    if (block.thread() == 0) inverse_rms[row] = inverse;  // backward needs it
  }

  // The row's sum, of which a thread reads again what it has written itself.
  TEMPER_DEVICE const T* add_residual(const device::Block<RmsNorm>& block, Index first, int pieces) const {
    for (int p = block.thread(); p < pieces; p += threads) {
      auto sum = device::load<width>(x + first + Index{p} * width);
      const auto more = device::load<width>(residual + first + Index{p} * width);
      TEMPER_UNROLL
      for (int i = 0; i < width; ++i) sum[i] = device::narrow<T>(device::widen(sum[i]) + device::widen(more[i]));
      device::store(stream + first + Index{p} * width, sum);
    }
    for (int c = pieces * width + block.thread(); c < columns; c += threads)
      stream[first + c] = device::narrow<T>(device::widen(x[first + c]) + device::widen(residual[first + c]));
    return stream + first;
  }
};

// One row a block. dx is written, not added to.
template <class T>
struct RmsNormBackward {
  static constexpr int threads = 256, width = 16 / int{sizeof(T)};
  struct Shared {
    float partial[threads / device::warp_size];
  };
  const T* x;
  const T* weight;
  const float* inverse_rms;
  const T* dy;
  T* dx;
  int columns;

  TEMPER_DEVICE void operator()(device::Block<RmsNormBackward>& block) const {
    const Index first = Index{block.index().x} * columns;
    const float inverse = inverse_rms[block.index().x];
    const int pieces = whole_pieces<width>(columns, x, dy, weight, dx);
    float product = 0;
    for (int p = block.thread(); p < pieces; p += threads) {
      const Index at = Index{p} * width;
      const auto value = device::load<width>(x + first + at);
      const auto gradient = device::load<width>(dy + first + at);
      const auto scale = device::load<width>(weight + at);
      TEMPER_UNROLL
      for (int i = 0; i < width; ++i)
        product += device::widen(gradient[i]) * device::widen(scale[i]) * device::widen(value[i]);
    }
    for (int c = pieces * width + block.thread(); c < columns; c += threads)
      product += device::widen(dy[first + c]) * device::widen(weight[c]) * device::widen(x[first + c]);
    const float mean = block_sum(block, product, block.shared.partial) / static_cast<float>(columns);
    const float along_x = mean * inverse * inverse;

    for (int p = block.thread(); p < pieces; p += threads) {
      const Index at = Index{p} * width;
      const auto value = device::load<width>(x + first + at);
      auto gradient = device::load<width>(dy + first + at);
      const auto scale = device::load<width>(weight + at);
      TEMPER_UNROLL
      for (int i = 0; i < width; ++i) gradient[i] = of(gradient[i], scale[i], value[i], inverse, along_x);
      device::store(dx + first + at, gradient);
    }
    for (int c = pieces * width + block.thread(); c < columns; c += threads)
      dx[first + c] = of(dy[first + c], weight[c], x[first + c], inverse, along_x);
  }

  TEMPER_DEVICE static T of(T gradient, T scale, T value, float inverse, float along_x) {
    const float direct = device::widen(gradient) * device::widen(scale);
    return device::narrow<T>(inverse * (direct - device::widen(value) * along_x));
  }
};

// 32 columns a block: 8 warps share the rows, and their sums are added in the order of the warps.
template <class T>
struct RmsNormWeightBackward {
  static constexpr int threads = 256, warps = threads / device::warp_size;
  struct Shared {
    float sum[warps][device::warp_size];
  };
  const T* x;
  const float* inverse_rms;
  const T* dy;
  float* dweight;  // [D]
  int rows, columns;

  TEMPER_DEVICE void operator()(device::Block<RmsNormWeightBackward>& block) const {
    const int column = block.index().x * device::warp_size + block.lane();
    float sum = 0;
    if (column < columns) {
      for (int row = block.warp_index(); row < rows; row += warps) {
        const Index at = Index{row} * columns + column;
        sum += device::widen(dy[at]) * device::widen(x[at]) * inverse_rms[row];
      }
    }
    block.shared.sum[block.warp_index()][block.lane()] = sum;
    block.sync();
    if (block.warp_index() != 0 || column >= columns) return;
    for (int w = 1; w < warps; ++w) sum += block.shared.sum[w][block.lane()];
    dweight[column] = sum;
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
