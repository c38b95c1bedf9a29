// SPDX-License-Identifier: MIT
// A kernel of one's own, launched and held to a reference. g++ and clang++ run it on the host, where each thread of a
// block is a fiber; nvcc makes the same file a program for the GPU.
#include <cmath>
#include <cstdio>

#include "center_rows.cuh"

namespace {

// [launch]
// The largest error of one launch, in units of what rounding may do to a sum of so many terms.
double largest_error(temper::device::Stream& stream, int rows, int columns) {
  const auto size = static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
  std::vector<float> x(size);
  for (std::size_t i = 0; i < size; ++i) x[i] = static_cast<float>((i * 2654435761u) % 1000) / 100;
  temper::device::Buffer<float> on_x(x), on_y(size);
  temper::device::launch(stream, {rows, 1, 1}, CenterRows{on_x.data(), on_y.data(), columns});
  const std::vector<float> y = on_y.download(stream);
  // [/launch]
  double largest = 0;
  for (std::size_t first = 0; first < size; first += static_cast<std::size_t>(columns)) {
    double sum = 0, magnitude = 0;
    for (std::size_t i = first; i < first + static_cast<std::size_t>(columns); ++i) {
      sum += static_cast<double>(x[i]);
      magnitude += std::abs(static_cast<double>(x[i]));
    }
    const int roundings = columns / CenterRows::threads + 16;  // a thread's own sum, and the tree
    const double mean = sum / columns, bound = roundings * 0x1p-24 * (magnitude / columns + 10);
    for (std::size_t i = first; i < first + static_cast<std::size_t>(columns); ++i) {
      const double error = std::abs(static_cast<double>(y[i]) - (static_cast<double>(x[i]) - mean)) / bound;
      largest = error <= largest ? largest : error;  // NaN counts as large
    }
  }
  return largest;
}

}  // namespace

int main() {
  bool right = true;
  try {
    temper::device::Stream stream;
    for (const int columns : {1, 100, 128, 1000}) {
      const double error = largest_error(stream, 5, columns);
      std::printf("5 rows of %4d: %.2f of the bound\n", columns, error);
      right = right && error <= 1;
    }
  } catch (const temper::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return right ? 0 : 1;
}
