// SPDX-License-Identifier: MIT
// Four tiles of 8 x 8 half-width numbers from shared memory into registers, as mma wants them. Lane l names the address
// of row l%8 of tile l/8: eight numbers, at a multiple of 16 bytes. Then register i of lane l has, of tile i,
//   load_matrix            row l/4, columns 2(l%4) and 2(l%4) + 1
//   load_matrix_transposed rows 2(l%4) and 2(l%4) + 1, column l/4
#pragma once
#include "temper/device/mma.cuh"
#include "temper/device/vector.cuh"

namespace temper::device {
inline namespace TEMPER_TARGET {

struct FourTiles {
  std::uint32_t r[4];
};

#if TEMPER_ON_GPU
template <class T>
TEMPER_DEVICE FourTiles load_matrix(const Warp&, const T* row) {
  static_assert(sizeof(T) == 2);
  FourTiles four;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(four.r[0]), "=r"(four.r[1]), "=r"(four.r[2]), "=r"(four.r[3])
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
  return four;
}
template <class T>
TEMPER_DEVICE FourTiles load_matrix_transposed(const Warp&, const T* row) {
  static_assert(sizeof(T) == 2);
  FourTiles four;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(four.r[0]), "=r"(four.r[1]), "=r"(four.r[2]), "=r"(four.r[3])
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
  return four;
}
#else
struct RowsOfTiles {
  const unsigned char* row[warp_size];
  std::uint32_t at(int tile, int r, int column) const {
    std::uint16_t bits;
    std::memcpy(&bits, row[8 * tile + r] + std::ptrdiff_t{2} * column, sizeof bits);
    return bits;
  }
};
inline RowsOfTiles rows_of_tiles(const Warp& warp, const void* row, const char* what, int line) {
  require_aligned(row, 16, what);
  auto& slot = warp.slots();
  std::memcpy(slot[warp.lane()], &row, sizeof row);
  warp.fibers->meet(warp.state->meeting, what, line);
  RowsOfTiles rows;
  for (int l = 0; l < warp_size; ++l) std::memcpy(&rows.row[l], slot[l], sizeof row);
  return rows;
}
template <class T>
inline FourTiles load_matrix(const Warp& warp, const T* row, int line = __builtin_LINE()) {
  const RowsOfTiles rows = rows_of_tiles(warp, row, "load_matrix()", line);
  const int r = warp.lane() / 4, c = warp.lane() % 4 * 2;
  FourTiles four;
  for (int i = 0; i < 4; ++i) four.r[i] = rows.at(i, r, c) | rows.at(i, r, c + 1) << 16;
  return four;
}
template <class T>
inline FourTiles load_matrix_transposed(const Warp& warp, const T* row, int line = __builtin_LINE()) {
  const RowsOfTiles rows = rows_of_tiles(warp, row, "load_matrix_transposed()", line);
  const int r = warp.lane() % 4 * 2, c = warp.lane() / 4;
  FourTiles four;
  for (int i = 0; i < 4; ++i) four.r[i] = rows.at(i, r, c) | rows.at(i, r + 1, c) << 16;
  return four;
}
#endif

}  // namespace TEMPER_TARGET
}  // namespace temper::device
