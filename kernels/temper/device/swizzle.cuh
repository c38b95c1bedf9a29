// SPDX-License-Identifier: MIT
// A tile of shared memory in pieces of 16 bytes, moved about within 128 bytes so that eight rows' pieces of one column
// lie in eight different groups of banks: neither load_matrix nor a row of copies then waits for itself.
// With n pieces in a row, piece p of row r is number i = r n + p, and lies at
//   i xor (i / 8 / m) mod g        g, of 8 at most, and 8 m, of 8 at least: the largest powers of two that divide n
// Of eight rows those g that meet in a group of banks lie an odd multiple of m lines apart, so no two get the same
// turn.
#pragma once
#include "temper/device/target.cuh"

namespace temper::device {
inline namespace TEMPER_TARGET {

template <class T, int Rows, int Columns>
struct SwizzledTile {
  static constexpr int rows = Rows, columns = Columns;
  static constexpr int width = 16 / int{sizeof(T)};  // elements of a piece
  static constexpr int pieces = Columns / width;     // of a row
  static constexpr int power = pieces & -pieces;     // the largest that divides it
  static constexpr int turns = power < 8 ? power : 8, lines = power < 8 ? 1 : power / 8;
  static_assert(Columns % width == 0 && Rows * pieces % turns == 0,
                "a row is whole pieces, and no turn leaves the tile");

  alignas(128) T data[std::size_t{Rows} * Columns];

  static constexpr int period = 8 * lines * turns;  // pieces, after which it repeats

  TEMPER_DEVICE static int place_of(int number) {
    const auto i = static_cast<unsigned>(number);
    return static_cast<int>(i ^ (i / unsigned{8 * lines} % unsigned{turns})) * width;
  }
  TEMPER_DEVICE static int place(int row, int piece) { return place_of(row * pieces + piece); }
  // The same of row0 + row and p0 + p, where row0 is a multiple of 8, p0 is even and p is 0 or 1: what depends on row
  // and p alone is worked out once for all row0 and p0.
  TEMPER_DEVICE static int place(int row0, int p0, int row, int p) {
    if constexpr (power == pieces) return (place(row, p) ^ p0 * width) + row0 * Columns;
    return place(row, p0 + p) + row0 * Columns;
  }
  TEMPER_DEVICE T* piece(int row, int p) { return data + place(row, p); }
  TEMPER_DEVICE const T* piece(int row, int p) const { return data + place(row, p); }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::device
