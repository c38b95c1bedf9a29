// SPDX-License-Identifier: MIT
// A product whose C has few tiles and whose K is long: parts of K go to blocks of their own, each with a C in float,
// and a second launch adds those in the order of the parts. How many there are follows from the shape alone, so that
// equal shapes have equal bits on every device.
#pragma once
#include "temper/device/launch.cuh"
#include "temper/kernel/matmul.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// Enough blocks to fill a large device, but no part below 1,024 steps: writing and adding parts stays small beside
// reading the operands.
template <class Tile>
int parts_of(int m, int n, int k) {
  const int tiles = device::divide_up(m, Tile::m) * device::divide_up(n, Tile::n);
  const int parts = device::smaller_of(tiles == 0 ? 1 : 512 / tiles, k / 1024);
  return parts < 1 ? 1 : parts;
}

// A thread adds four neighbours. Grid x is AddParts::grid(m, n).
template <class Out>
struct AddParts {
  static constexpr int threads = 256, width = 4;
  using Shared = device::NoShared;
  const float* partial;  // [parts, M, N]
  int parts;
  Result<Out> result;

  static int grid(int m, int n) {
    return static_cast<int>((Index{m} * device::divide_up(n, width) + threads - 1) / threads);
  }

  TEMPER_DEVICE void operator()(device::Block<AddParts>& block) const {
    const int in_row = device::divide_up(result.n, width);
    const Index number = Index{block.index().x} * threads + block.thread();
    if (number >= Index{result.m} * in_row) return;
    const int row = static_cast<int>(number / in_row), column = static_cast<int>(number % in_row) * width;
    const Index each = Index{result.m} * result.n;
    const float* from = partial + Index{row} * result.n + column;
    const bool whole = result.n % width == 0 && device::aligned(partial, 16);
    device::Vector<float, width> sum{};
    for (int p = 0; p < parts; ++p) {
      if (whole) {
        const auto some = device::load<width>(from + p * each);
        TEMPER_UNROLL
        for (int e = 0; e < width; ++e) sum[e] += some[e];
      } else {
        TEMPER_UNROLL
        for (int e = 0; e < width; ++e)
          if (column + e < result.n) sum[e] += from[p * each + e];
      }
    }
    result.put(row, column, sum);
  }
};

// 'partial' has parts_wanted m n floats; with one part it is not used. Not every part that is wanted need be made:
// slices of K are dealt out evenly.
template <class How, class Out, class Tile>
void matmul_in_parts(device::Stream& stream, const Matmul<How, Out, Tile>& product, int parts_wanted, float* partial) {
  using Whole = Matmul<How, Out, Tile>;
  using Part = Matmul<How, float, Tile>;
  require(parts_wanted > 0, Fault::usage, "kernel.parts", "a product in {} parts; at least 1 is needed", parts_wanted);
  const int m = product.m, n = product.n;
  const int slices = device::divide_up(product.k, Tile::k) + device::divide_up(product.low.rank, Tile::k);
  const int each = device::divide_up(slices, parts_wanted), parts = each == 0 ? 1 : device::divide_up(slices, each);
  device::Grid grid = Whole::grid(m, n);
  if (parts <= 1) return device::launch(stream, grid, product);
  grid.z = parts;
  device::launch(stream, grid, Part{product.a, product.b, partial, m, n, product.k, {}, product.low, each});
  device::launch(stream, {AddParts<Out>::grid(m, n), 1, 1},
                 AddParts<Out>{partial, parts, {product.c, m, n, product.epilogue}});
}

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
