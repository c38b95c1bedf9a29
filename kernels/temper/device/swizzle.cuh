// SPDX-License-Identifier: MIT
// A tile of shared memory in pieces of 16 bytes, moved about within 128 bytes so that eight rows' pieces of one column
// lie in eight different groups of banks: neither load_matrix nor a row of copies then waits for itself.
//   piece p of row r lies at p xor (r / rows in 128 bytes) mod (pieces in a row, 8 at most)
#pragma once
#include "temper/device/target.cuh"

namespace temper::device {
inline namespace TEMPER_TARGET {

template <class T, int Rows, int Columns>
struct SwizzledTile {
  static constexpr int rows = Rows, columns = Columns;
  static constexpr int width = 16 / int{sizeof(T)};  // elements of a piece
  static constexpr int pieces = Columns / width;     // of a row
  static constexpr int turns = pieces < 8 ? pieces : 8;
  static_assert(Columns % width == 0 && (pieces & (pieces - 1)) == 0, "a row is 16, 32, 64, 128 bytes, or twice that");

  alignas(128) T data[std::size_t{Rows} * Columns];

  TEMPER_DEVICE static int place(int row, int piece) {
    return row * Columns + (piece ^ (row / (8 / turns) % turns)) * width;
  }
  TEMPER_DEVICE T* piece(int row, int p) { return data + place(row, p); }
  TEMPER_DEVICE const T* piece(int row, int p) const { return data + place(row, p); }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::device
