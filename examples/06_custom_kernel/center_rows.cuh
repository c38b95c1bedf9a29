// SPDX-License-Identifier: MIT
// y = x - mean(x) along each row, one row a block. x, y [rows, columns].
#pragma once
#include "temper/device/device.cuh"

// [kernel]
struct CenterRows {
  static constexpr int threads = 128;
  struct Shared {
    float partial[threads / temper::device::warp_size];
  };
  const float* x;
  float* y;
  int columns;

  TEMPER_DEVICE void operator()(temper::device::Block<CenterRows>& block) const {
    const temper::Index first = temper::Index{block.index().x} * columns;
    float sum = 0;
    for (int c = block.thread(); c < columns; c += threads) sum += x[first + c];
    const float mean = block_sum(block, sum, block.shared.partial) / static_cast<float>(columns);
    for (int c = block.thread(); c < columns; c += threads) y[first + c] = x[first + c] - mean;
  }
};
// [/kernel]
