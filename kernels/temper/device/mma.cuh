// SPDX-License-Identifier: MIT
// Tensor-core tiles: D[16,8] = A[16,K] B[K,8] + C[16,8], accumulated in float. The instruction on the GPU; on the host
// its published lane layout, which the last lane to come works through for its warp.
//   of D and C, lane l has rows l/4 and l/4 + 8, columns 2(l%4) and 2(l%4) + 1; register i is row i/2, column i%2
#pragma once
#include "temper/device/warp.cuh"

namespace temper::device {
inline namespace TEMPER_TARGET {

struct FragmentA {
  std::uint32_t r[4];
};
struct FragmentB {
  std::uint32_t r[2];
};
struct Accumulator {
  float r[4];
};

TEMPER_BOTH int accumulator_row(int lane, int i) { return lane / 4 + 8 * (i / 2); }
TEMPER_BOTH int accumulator_column(int lane, int i) { return 2 * (lane % 4) + i % 2; }

// Nearest with 10 bits of mantissa, ties away from zero: what mma_tf32 takes.
TEMPER_DEVICE std::uint32_t tf32_bits(float x) {
#if TEMPER_ON_GPU
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
#else
  return (bits_of(x) + 0x1000u) & 0xffffe000u;
#endif
}

#if TEMPER_ON_GPU
#define TEMPER_MMA(shape_and_types)                                                                         \
  asm volatile("mma.sync.aligned." shape_and_types " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" \
               : "+f"(c.r[0]), "+f"(c.r[1]), "+f"(c.r[2]), "+f"(c.r[3])                                     \
               : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]))
TEMPER_DEVICE void mma_bf16(const Warp&, Accumulator& c, const FragmentA& a, const FragmentB& b) {
  TEMPER_MMA("m16n8k16.row.col.f32.bf16.bf16.f32");
}
TEMPER_DEVICE void mma_f16(const Warp&, Accumulator& c, const FragmentA& a, const FragmentB& b) {
  TEMPER_MMA("m16n8k16.row.col.f32.f16.f16.f32");
}
TEMPER_DEVICE void mma_tf32(const Warp&, Accumulator& c, const FragmentA& a, const FragmentB& b) {
  TEMPER_MMA("m16n8k8.row.col.f32.tf32.tf32.f32");
}
#undef TEMPER_MMA
#else
struct MmaSlot {
  Accumulator c;
  FragmentA a;
  FragmentB b;
};
template <class T>
struct HalfTile {  // m16n8k16: registers hold pairs along k, the lower k in the lower half
  static constexpr int k = 16;
  static float of(std::uint32_t pair, int which) {
    return to_float(T{static_cast<std::uint16_t>(pair >> (16 * which))});
  }
  static float a(const MmaSlot* lane, int m, int i) {
    return of(lane[m % 8 * 4 + i % 8 / 2].a.r[m / 8 + i / 8 * 2], i % 2);
  }
  static float b(const MmaSlot* lane, int i, int n) { return of(lane[n * 4 + i % 8 / 2].b.r[i / 8], i % 2); }
};
struct Tf32Tile {  // m16n8k8: a register is one number, whose low 13 bits the hardware ignores
  static constexpr int k = 8;
  static float a(const MmaSlot* lane, int m, int i) {
    return float_of(lane[m % 8 * 4 + i % 4].a.r[m / 8 + i / 4 * 2] & 0xffffe000u);
  }
  static float b(const MmaSlot* lane, int i, int n) { return float_of(lane[n * 4 + i % 4].b.r[i / 4] & 0xffffe000u); }
};
template <class Tile>
TEMPER_UNWATCHED inline void multiply_tile(void* slots) {
  auto* slot = static_cast<unsigned char(*)[64]>(slots);
  MmaSlot lane[warp_size];
  for (int l = 0; l < warp_size; ++l) std::memcpy(&lane[l], slot[l], sizeof lane[l]);
  float a[16][Tile::k], b[8][Tile::k];
  for (int i = 0; i < Tile::k; ++i) {
    for (int m = 0; m < 16; ++m) a[m][i] = Tile::a(lane, m, i);
    for (int n = 0; n < 8; ++n) b[n][i] = Tile::b(lane, i, n);
  }
  for (int l = 0; l < warp_size; ++l) {
    for (int r = 0; r < 4; ++r) {
      float sum = lane[l].c.r[r];
      const float* row = a[accumulator_row(l, r)];
      const float* column = b[accumulator_column(l, r)];
      for (int i = 0; i < Tile::k; ++i) sum += row[i] * column[i];
      lane[l].c.r[r] = sum;
    }
    std::memcpy(slot[l], &lane[l].c, sizeof lane[l].c);
  }
}
template <class Tile>
inline void emulated_mma(const Warp& warp, Accumulator& c, const FragmentA& a, const FragmentB& b, const char* what,
                         int line) {
  const MmaSlot mine{c, a, b};
  auto& slot = warp.slots();
  std::memcpy(slot[warp.lane()], &mine, sizeof mine);
  warp.fibers->meet(warp.state->meeting, what, line, &multiply_tile<Tile>, &slot);
  std::memcpy(&c, slot[warp.lane()], sizeof c);
}
inline void mma_bf16(const Warp& w, Accumulator& c, const FragmentA& a, const FragmentB& b,
                     int line = __builtin_LINE()) {
  emulated_mma<HalfTile<bf16>>(w, c, a, b, "mma_bf16()", line);
}
inline void mma_f16(const Warp& w, Accumulator& c, const FragmentA& a, const FragmentB& b,
                    int line = __builtin_LINE()) {
  emulated_mma<HalfTile<f16>>(w, c, a, b, "mma_f16()", line);
}
inline void mma_tf32(const Warp& w, Accumulator& c, const FragmentA& a, const FragmentB& b,
                     int line = __builtin_LINE()) {
  emulated_mma<Tf32Tile>(w, c, a, b, "mma_tf32()", line);
}
#endif

}  // namespace TEMPER_TARGET
}  // namespace temper::device
