// SPDX-License-Identifier: MIT
// What DoRA (Liu et al. 2024) needs beside products, W [O, I] in bf16 or NF4, A [R, I], B [O, R]:
//   norms[o] = ||W[o] + s B[o] A||       factor = magnitude / norms, magnitude for a norm of 0   change = factor - 1
//   y = factor (x W^T + u B^T) + bias    by Epilogue::columns
//   dscaled = factor dy                  dmagnitude[o] (+)= sum over t of dy[t, o] (u[t, o] - bias[o]) / divisor[o]
// B A is made a tile at a time on tensor cores and never written. Sums have an order that the shape gives alone.
#pragma once
#include "temper/kernel/nf4_matmul.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// Where W comes from: eight neighbours of a row as they are read, and the value of one of them.
struct DenseRows {
  const bf16* data;
  using Eight = device::Vector<bf16, 8>;
  TEMPER_DEVICE Eight read(Index at, int valid) const {
    if (valid == 8 && device::aligned(data + at, 16)) return device::load<8>(data + at);
    Eight eight{};
    TEMPER_UNROLL
    for (int e = 0; e < 8; ++e)
      if (e < valid) eight[e] = data[at + e];
    return eight;
  }
  template <class Table>
  TEMPER_DEVICE static float value(const Eight& eight, int e, const Table&, int) {
    return device::widen(eight[e]);
  }
};
struct Nf4CodeRows {  // the width must be a multiple of 64
  Nf4Weight weight;
  struct Eight {
    std::uint32_t codes;
    float scale;
  };
  TEMPER_DEVICE Eight read(Index at, int valid) const {
    if (valid < 8) return {0, 0};
    return {device::load<1>(reinterpret_cast<const std::uint32_t*>(weight.codes + at / 2))[0],
            weight.scales(at / nf4_block)};
  }
  template <class Table>
  TEMPER_DEVICE static float value(const Eight& eight, int e, const Table& table, int lane) {
    return table[(eight.codes >> (e / 2 * 8 + (e % 2 == 0 ? 4 : 0))) & 15u][lane] * eight.scale;
  }
};

// The squares of 64 rows over 256 columns a block, 16 rows a warp: grid x along I, y along O. 'partial' is
// [columns / 256, O].
template <class Rows>
struct DoraSquares {
  static constexpr int tile_m = 64, tile_n = 64, tile_k = 32, stages = 2, warp_m = 16, pieces_n = tile_n / 8;
  static constexpr int threads = 128, blocks = 3, columns = 256;
  static constexpr int each = 4;  // eights of a lane
  struct Stage {
    Slice<Stored::along_k, tile_m, tile_k> b;
    Slice<Stored::across_k, tile_n, tile_k> a;
  };
  struct Shared {
    Stage stage[stages];
    StagedRows<tile_n> staged[threads / device::warp_size];
    float value[16][device::warp_size];  // of a code, a copy for each bank
  };
  Rows weight;
  Operand a, b;
  float scale;
  float* partial;
  int features, width, rank;

  static int parts(int width) { return device::divide_up(width, columns); }
  static device::Grid grid(int features, int width) { return {parts(width), device::divide_up(features, tile_m), 1}; }

  TEMPER_DEVICE void operator()(device::Block<DoraSquares>& block) const {
    using Place = PlaceInTile<8, tile_n>;
    const int lane = block.lane(), m0 = block.index().y * tile_m, begin = block.index().x * columns;
    const int first_m = block.warp_index() * warp_m;
    const int tiles = device::divide_up(device::smaller_of(width - begin, columns), tile_n);
    const int slices = rank == 0 ? 1 : device::divide_up(rank, tile_k), steps = tiles * slices;
    const device::Warp warp = block.warp();
    device::AsyncCopies copies(block);
    const auto fetch = [&](int step) {
      if (step < steps) {
        Stage& stage = block.shared.stage[step % stages];
        const int k0 = step % slices * tile_k;
        stage.b.template fetch<threads>(copies, block.thread(), b, m0, k0, features, rank);
        stage.a.template fetch<threads>(copies, block.thread(), a, begin + step / slices * tile_n, k0, width, rank);
      }
      copies.commit();
    };
    if constexpr (std::is_same_v<Rows, Nf4CodeRows>) {
      for (int code = block.warp_index(); code < 16; code += threads / device::warp_size)
        block.shared.value[code][lane] = nf4_value(static_cast<unsigned>(code));
    }
    float squares[each] = {};
    for (int step = 0; step < stages - 1; ++step) fetch(step);
    for (int tile = 0; tile < tiles; ++tile) {
      // W is asked for before the product that it is added to, so that the one hides the other.
      typename Rows::Eight eight[each];
      TEMPER_UNROLL
      for (int i = 0; i < each; ++i) {
        const int row = m0 + first_m + Place::row(i, lane);
        const int column = begin + tile * tile_n + Place::column(i, lane);
        const int left = row < features ? width - column : 0;
        eight[i] = weight.read(left > 0 ? Index{row} * width + column : 0, left < 0 ? 0 : left > 8 ? 8 : left);
      }
      device::Accumulator sum[1][pieces_n] = {};
      for (int slice = 0; slice < slices; ++slice) {
        const int step = tile * slices + slice;
        copies.template wait<stages - 2>();
        block.sync();
        fetch(step + stages - 1);
        multiply(warp, block.shared.stage[step % stages], first_m, sum[0]);
      }
      in_rows<8>(warp, block.shared.staged[block.warp_index()], sum, 0, 0,
                 [&](int i, int, int, const device::Vector<float, 8>& low_rank) {
                   TEMPER_UNROLL
                   for (int e = 0; e < 8; ++e) {
                     const float w = Rows::value(eight[i], e, block.shared.value, lane);
                     const float all = device::fused_multiply_add(scale, low_rank[e], w);
                     squares[i] = device::fused_multiply_add(all, all, squares[i]);
                   }
                 });
    }
    TEMPER_UNROLL
    for (int i = 0; i < each; ++i) {
      float sum = squares[i];
      TEMPER_UNROLL
      for (int mask = 1; mask < Place::in_row; mask *= 2) sum += warp.shuffle_xor(sum, mask);
      const int row = m0 + first_m + Place::row(i, lane);
      if (lane % Place::in_row == 0 && row < features) partial[Index{block.index().x} * features + row] = sum;
    }
  }

  TEMPER_DEVICE static void multiply(const device::Warp& warp, const Stage& stage, int first_m,
                                     device::Accumulator (&sum)[pieces_n]) {
    TEMPER_UNROLL
    for (int k = 0; k < tile_k; k += 16) {
      const auto of_b = stage.b.sixteen_of_a(warp, first_m, k);
      TEMPER_UNROLL
      for (int j = 0; j < pieces_n; j += 2) {
        const auto of_a = stage.a.sixteen_of_b(warp, j * 8, k);
        const device::FragmentA left{{of_b.r[0], of_b.r[1], of_b.r[2], of_b.r[3]}};
        mma_bf16(warp, sum[j], left, {{of_a.r[0], of_a.r[1]}});
        mma_bf16(warp, sum[j + 1], left, {{of_a.r[2], of_a.r[3]}});
      }
    }
  }
};

// A row without direction is not divided.
TEMPER_DEVICE float dora_divisor(float norm) { return norm != 0 ? norm : 1.0f; }

// The sum of one column of partial sums [parts, count], in their order.
TEMPER_DEVICE float sum_of_parts(const float* partial, int parts, int count, int column) {
  float sum = 0;
  for (int p = 0; p < parts; ++p) sum += partial[Index{p} * count + column];
  return sum;
}

// A thread a row. Null: not wanted.
struct DoraNorms {
  static constexpr int threads = 128;
  using Shared = device::NoShared;
  const float* partial;
  int parts, features;
  const float* magnitude;
  float* norms;
  float* factor;
  float* change;

  static int grid(int features) { return device::divide_up(features, threads); }

  TEMPER_DEVICE void operator()(device::Block<DoraNorms>& block) const {
    const int row = block.index().x * threads + block.thread();
    if (row >= features) return;
    const float norm = device::root(sum_of_parts(partial, parts, features, row));
    norms[row] = norm;
    if (magnitude == nullptr) return;
    const float ratio = device::divide(magnitude[row], dora_divisor(norm));
    if (factor != nullptr) factor[row] = ratio;
    if (change != nullptr) change[row] = device::difference(ratio, 1.0f);
  }
};

// dy times the factor of its column, and the sums that the magnitudes' gradients are made of, in one pass: 256 columns
// and 128 tokens a block. u is the direction's product, or y itself with its bias: then the divisor of
// MagnitudeGradient is the magnitude, as y - bias = (magnitude / norm) u.
struct DoraColumns {
  static constexpr int threads = 256, warps = threads / device::warp_size, columns = 256, tokens_a_block = 128;
  struct Shared {
    float sum[warps][columns];
  };
  const bf16* dy;  // [T, O]
  const bf16* u;
  const bf16* bias;     // null: none
  const float* factor;  // null: nothing is scaled
  bf16* dscaled;
  float* partial;  // [parts, O]
  int tokens, features;

  static int parts(int tokens) { return device::divide_up(tokens, tokens_a_block); }
  static device::Grid grid(int tokens, int features) {
    return {device::divide_up(features, columns), parts(tokens), 1};
  }

  TEMPER_DEVICE void operator()(device::Block<DoraColumns>& block) const {
    const int first = block.index().x * columns + block.lane() * 4;
    const int begin = block.index().y * tokens_a_block, end = device::smaller_of(tokens, begin + tokens_a_block);
    const bool aligned = features % 4 == 0 && device::aligned(dy, 8) && device::aligned(u, 8) &&
                         (factor == nullptr || device::aligned(dscaled, 8));
    TEMPER_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int column = first + half * 128;
      const int left = features - column, valid = left < 0 ? 0 : left > 4 ? 4 : left;
      float sum[4] = {}, shift[4] = {}, scale[4] = {};
      TEMPER_UNROLL
      for (int e = 0; e < 4; ++e) {
        if (e >= valid) continue;
        if (bias != nullptr) shift[e] = device::widen(bias[column + e]);
        if (factor != nullptr) scale[e] = factor[column + e];
      }
      for (int t = begin + block.warp_index(); t < end && valid > 0; t += warps) {
        const Index at = Index{t} * features + column;
        device::Vector<bf16, 4> gradient{}, value{}, scaled;
        if (aligned) {
          gradient = device::load<4>(dy + at);
          value = device::load<4>(u + at);
        } else {
          TEMPER_UNROLL
          for (int e = 0; e < 4; ++e) {
            if (e >= valid) continue;
            gradient[e] = dy[at + e];
            value[e] = u[at + e];
          }
        }
        TEMPER_UNROLL
        for (int e = 0; e < 4; ++e) {
          const float g = device::widen(gradient[e]);
          sum[e] = device::fused_multiply_add(g, device::difference(device::widen(value[e]), shift[e]), sum[e]);
          scaled[e] = device::narrow<bf16>(device::product(g, scale[e]));
        }
        if (factor == nullptr) continue;
        if (aligned) {
          device::store(dscaled + at, scaled);
        } else {
          TEMPER_UNROLL
          for (int e = 0; e < 4; ++e)
            if (e < valid) dscaled[at + e] = scaled[e];
        }
      }
      device::store(&block.shared.sum[block.warp_index()][half * 128 + block.lane() * 4],
                    device::Vector<float, 4>{{sum[0], sum[1], sum[2], sum[3]}});
    }
    block.sync();
    const int column = block.index().x * columns + block.thread();
    if (column >= features) return;
    float sum = 0;
    for (int w = 0; w < warps; ++w) sum += block.shared.sum[w][block.thread()];
    partial[Index{block.index().y} * features + column] = sum;
  }
};

enum class Into { overwrite, add };

struct MagnitudeGradient {
  static constexpr int threads = 128;
  using Shared = device::NoShared;
  const float* partial;
  int parts, features;
  const float* divisor;
  float* dmagnitude;
  Into into;

  static int grid(int features) { return device::divide_up(features, threads); }

  TEMPER_DEVICE void operator()(device::Block<MagnitudeGradient>& block) const {
    const int column = block.index().x * threads + block.thread();
    if (column >= features) return;
    const float sum = sum_of_parts(partial, parts, features, column);
    const float gradient = device::divide(sum, dora_divisor(divisor[column]));
    dmagnitude[column] = into == Into::add ? dmagnitude[column] + gradient : gradient;
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
