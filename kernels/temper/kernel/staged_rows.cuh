// SPDX-License-Identifier: MIT
// The sums of a warp's tile, which mma leaves scattered over its lanes, as rows: through shared memory, sixteen rows at
// a time, each lane then has some neighbours of one row: as many as make 16 bytes of what is read or written for them,
// which then goes in whole sectors.
#pragma once
#include "temper/device/mma.cuh"
#include "temper/device/vector.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// Sixteen rows of floats of one warp. Pieces of 16 bytes change places, so that neither the pairs that four rows write
// at once nor the pieces that eight lanes read at once meet in a bank: those of one row, or every second of some.
template <int Columns>
struct StagedRows {
  static constexpr int rows = 16, columns = Columns, pieces = Columns / 4;
  static_assert(Columns == 16 || Columns == 32 || Columns == 64, "the turns are those of these widths");
  alignas(128) float data[std::size_t{rows} * Columns];

  TEMPER_DEVICE static int place(int row, int column) {
    const int piece = column / 4;
    const int turn = Columns == 16 ? row / 2 % 2 * 3 : (row % 4 * 2 + row % 2) ^ (piece / 8);
    return row * Columns + (piece ^ turn) * 4 + column % 4;
  }
};

// Where the i-th Width neighbours of a lane begin within a warp's tile.
template <int Width, int Columns>
struct PlaceInTile {
  static_assert(Width == 4 || Width == 8);
  static constexpr int in_row = Columns / Width, rounds = 16 * in_row / device::warp_size;  // of sixteen rows
  TEMPER_DEVICE static int row(int i, int lane) {
    return i / rounds * 16 + (lane + i % rounds * device::warp_size) / in_row;
  }
  TEMPER_DEVICE static int column(int i, int lane) { return (lane + i % rounds * device::warp_size) % in_row * Width; }
};

// Calls sink(i, row, column, sums) for each four or eight sums of the lane, which begin at (row, column) of C; i counts
// them, and stands for the same place within the tile in every call. The whole warp comes to every call.
template <int Width, std::size_t PiecesM, std::size_t PiecesN, class Sink>
TEMPER_DEVICE void in_rows(const device::Warp& warp, StagedRows<int{PiecesN} * 8>& staged,
                           const device::Accumulator (&sum)[PiecesM][PiecesN], int row0, int column0,
                           const Sink& sink) {
  using Staged = StagedRows<int{PiecesN} * 8>;
  using Place = PlaceInTile<Width, Staged::columns>;
  const int lane = warp.lane();
  TEMPER_UNROLL
  for (int i = 0; i < int{PiecesM}; ++i) {
    warp.sync();  // what was there has been read
    TEMPER_UNROLL
    for (int j = 0; j < int{PiecesN}; ++j) {
      TEMPER_UNROLL
      for (int r = 0; r < 4; r += 2)
        device::store(
            staged.data + Staged::place(device::accumulator_row(lane, r), j * 8 + device::accumulator_column(lane, r)),
            device::Vector<float, 2>{{sum[i][j].r[r], sum[i][j].r[r + 1]}});
    }
    warp.sync();
    TEMPER_UNROLL
    for (int round = 0; round < Place::rounds; ++round) {
      const int row = Place::row(round, lane), column = Place::column(round, lane);
      device::Vector<float, Width> sums;
      TEMPER_UNROLL
      for (int e = 0; e < Width; e += 4) {
        const auto four = device::load<4>(staged.data + Staged::place(row, column + e));
        TEMPER_UNROLL
        for (int f = 0; f < 4; ++f) sums[e + f] = four[f];
      }
      sink(i * Place::rounds + round, row0 + i * 16 + row, column0 + column, sums);
    }
  }
}

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
