// SPDX-License-Identifier: MIT
// A row of a matrix among the threads of one block: pieces of neighbours, which are one access each, where every row
// begins and ends with one, else a column at a time. Which thread has which columns is fixed, and so is their order.
#pragma once
#include "temper/device/block.cuh"
#include "temper/device/vector.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// How many pieces of 16 bytes a row of all of these has; 0 where one does not lie in them.
template <int Width, class... Rows>
TEMPER_DEVICE int whole_pieces(int columns, const Rows*... rows) {
  return columns % Width == 0 && (device::aligned(rows, 16) && ...) ? columns / Width : 0;
}

// Calls piece(first) with the first column of each of this thread's pieces, then column(c) with each of its columns
// that is in none.
template <int Width, class Kernel, class Piece, class Column>
TEMPER_DEVICE void over_row(const device::Block<Kernel>& block, int columns, int pieces, const Piece& piece,
                            const Column& column) {
  for (int i = block.thread(); i < pieces; i += Kernel::threads) piece(i * Width);
  for (int c = pieces * Width + block.thread(); c < columns; c += Kernel::threads) column(c);
}

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
