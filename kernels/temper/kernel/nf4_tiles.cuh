// SPDX-License-Identifier: MIT
// y [T, O] = scale columns[O] (x [T, I] W^T + L R^T) + bias + add on tensor cores, where W [O, I] lies in NF4
// (nf4.cuh), I a multiple of 64, and is never written out: codes are decoded in registers. A byte of two codes finds
// its pair of bf16 in a table in shared memory that has a copy for each bank, so that no look-up waits for another.
// Blocks of 64 are summed by themselves, in float, and scaled once. Their sums make one chain over a part of I, and
// parts are added in order; where parts end follows from W alone. So a row's bits depend neither on the tile, nor on
// how many rows there are, nor on whether a block makes one part or all.
#pragma once
#include "temper/device/launch.cuh"
#include "temper/kernel/matmul.cuh"
#include "temper/kernel/nf4.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

struct Nf4Weight {  // [features, width]
  const unsigned char* codes;
  Nf4Scales scales;
};

// The pair of a byte, the earlier code in the low half, for the lane that asks.
struct Nf4PairTable {
  std::uint32_t pair[256][device::warp_size];

  // Eight threads write the copies of a byte. A thread has one second code, and first ones that are known when compiled
  // but for the lowest bits.
  template <int Threads>
  TEMPER_DEVICE void fill(int thread) {
    constexpr int at_once = Threads / 128;
    static_assert(Threads % 128 == 0 && 16 % at_once == 0, "all second codes at once");
    const int second = thread / 8 % 16;
    const float value = nf4_value(static_cast<unsigned>(second));
    TEMPER_UNROLL
    for (int turn = 0; turn < 16 / at_once; ++turn) {
      const int first = at_once == 1 ? turn : turn * at_once | (thread / 128 % at_once);
      const std::uint32_t both = device::bf16_pair(nf4_value(static_cast<unsigned>(first)), value);
      std::uint32_t* copies = pair[first * 16 + second];
      device::store(copies + std::ptrdiff_t{4} * (thread % 8),
                    device::Vector<std::uint32_t, 4>{{both, both, both, both}});
    }
  }
  // Of a byte of a word. Turned so that the byte comes to stand for 128 times its number, it is the way to its copies.
  TEMPER_DEVICE std::uint32_t of(std::uint32_t word, int byte, int lane) const {
    const std::uint32_t turned = device::turned_right(word, 8 * byte + 25);
    const auto* at = reinterpret_cast<const char*>(pair) + ((turned & 0x7f80u) | static_cast<unsigned>(lane) * 4u);
    return device::load<1>(reinterpret_cast<const std::uint32_t*>(at))[0];
  }
};

// The tile of a block, and of it the columns of a warp, which has all rows: so a block decodes a weight once.
struct Nf4Tile16 {
  static constexpr int m = 16, n = 128, warp_n = 32, stages = 4, blocks = 2;
};
struct Nf4Tile32 {
  static constexpr int m = 32, n = 128, warp_n = 32, stages = 4, blocks = 2;
};
struct Nf4Tile64 {
  static constexpr int m = 64, n = 64, warp_n = 16, stages = 3, blocks = 2;
};

// Slices of 64 in a part: as many parts as make some 256 blocks of the tiles of one row, two for each multiprocessor of
// a large device; whole groups of scales, so no part is below 512 steps unless it is the last.
inline int nf4_part(int features, int width) {
  constexpr int group = 8;
  const int slices = device::divide_up(width, nf4_block), tiles = device::divide_up(features, Nf4Tile16::n);
  const int parts = tiles == 0 || tiles > 256 ? 1 : 256 / tiles, each = device::divide_up(slices, parts);
  return each == 0 ? group : device::divide_up(each, group) * group;
}

// One launch has a block for each tile: grid x along features, y along tokens. With a grid z above 1, z is the part
// that a block makes; y then is [parts, T, O].
template <class Out, class Tile>
struct Nf4Tiles {
  static constexpr int warps = Tile::n / Tile::warp_n, threads = warps * device::warp_size, blocks = Tile::blocks;
  static constexpr int pieces_m = Tile::m / 16, pieces_n = Tile::warp_n / 8, tile_k = nf4_block, steps = tile_k / 16;
  // Scales come in groups of eight slices, a sector of each feature; a thread reads one a slice in the first so many.
  static constexpr int group = 8, reads = Tile::n * group / threads, pad = 4, x_pieces = tile_k / 8;
  static_assert(reads <= group && Tile::n * group % threads == 0);
  struct Stage {
    Slice<Stored::along_k, Tile::m, tile_k, Fetch::in_line> x;
    alignas(128) unsigned char codes[std::size_t{Tile::n}][tile_k / 2];
  };
  struct Shared {
    union {
      Stage stage[std::size_t{Tile::stages}];
      StagedRows<Tile::warp_n> staged[std::size_t{warps}];
    };
    union {
      Nf4PairTable table;
      Slice<Stored::along_k, Tile::n, tile_k, Fetch::in_line> right;  // of the product of low rank, which comes last
    };
    alignas(16) float scale[2][std::size_t{group}][std::size_t{Tile::n + pad}];  // of this group and the next
  };
  using Sums = device::Accumulator[std::size_t{pieces_m}][std::size_t{pieces_n}];
  const bf16* x;  // at a multiple of 16 bytes, as the codes are
  Nf4Weight weight;
  Out* y;
  int tokens, features, width;
  int part;  // slices of 64
  Epilogue<Out> epilogue;
  LowRank low{};

  static device::Grid grid(int tokens, int features) {
    return {device::divide_up(features, Tile::n), device::divide_up(tokens, Tile::m), 1};
  }

  TEMPER_DEVICE void operator()(device::Block<Nf4Tiles>& block) const {
    const bool one_part = block.grid().z > 1;
    const int slices = width / tile_k, begin = one_part ? block.index().z * part : 0;
    const int end = one_part ? device::smaller_of(begin + part, slices) : slices;
    Sources from(*this, block, begin, end);
    device::AsyncCopies copies(block);
    for (int ahead = 0; ahead < Tile::stages - 1; ++ahead) fetch(copies, block, from, ahead, begin + ahead < end);
    Nf4Scales::Read first[std::size_t{reads}];
    TEMPER_UNROLL
    for (int turn = 0; turn < reads; ++turn) first[turn] = read_scale(from, turn);
    block.shared.table.template fill<threads>(block.thread());
    TEMPER_UNROLL
    for (int turn = 0; turn < reads; ++turn) put_scale(block, 0, turn, first[turn]);
    Sums sum = {}, earlier = {};
    int stage = 0, left = part;  // slices left of the part
    int of_group = 0, half = 0;  // where in its group the slice is, and in which half the group's scales
    for (int slice = begin; slice < end; ++slice) {
      copies.template wait<Tile::stages - 2>();
      block.sync();
      fetch(copies, block, from, stage == 0 ? Tile::stages - 1 : stage - 1, slice + Tile::stages - 1 < end);
      if (of_group == 0) from.next_group();
      Nf4Scales::Read ahead{0, 0};
      if (of_group < reads) ahead = read_scale(from, of_group);
      add_slice(block, block.shared.stage[stage], block.shared.scale[half][of_group], sum);
      if (of_group < reads) put_scale(block, half ^ 1, of_group, ahead);
      if (++stage == Tile::stages) stage = 0;
      if (++of_group == group) of_group = 0, half ^= 1;
      if (--left == 0 && slice + 1 < end) {
        left = part;
        join(earlier, sum);
        set_zero(sum);
      }
    }
    const int m0 = block.index().y * Tile::m, n0 = block.index().x * Tile::n;
    if (end == slices)
      for (int r = 0; r < low.rank; r += tile_k) add_low_rank(copies, block, r, m0, n0, sum);
    join(earlier, sum);
    block.sync();  // the stages have served
    in_rows<Result<Out>::width>(
        block.warp(), block.shared.staged[block.warp_index()], earlier, m0, n0 + block.warp_index() * Tile::warp_n,
        Result<Out>{y + Index{block.index().z} * tokens * features, tokens, features, epilogue});
  }

  TEMPER_DEVICE static void join(Sums& earlier, const Sums& sum) {
    TEMPER_UNROLL
    for (int i = 0; i < pieces_m; ++i) {
      TEMPER_UNROLL
      for (int j = 0; j < pieces_n; ++j) {
        TEMPER_UNROLL
        for (int r = 0; r < 4; ++r) earlier[i][j].r[r] += sum[i][j].r[r];
      }
    }
  }
  TEMPER_DEVICE static void set_zero(Sums& sum) {
    TEMPER_UNROLL
    for (int i = 0; i < pieces_m; ++i) {
      TEMPER_UNROLL
      for (int j = 0; j < pieces_n; ++j) sum[i][j] = {};
    }
  }

  TEMPER_DEVICE void add_slice(const device::Block<Nf4Tiles>& block, const Stage& stage, const float* scales,
                               Sums& sum) const {
    const int lane = block.lane(), first_n = block.warp_index() * Tile::warp_n;
    const device::Warp warp = block.warp();
    device::FragmentB of_weight[std::size_t{pieces_n}][std::size_t{steps}];
    TEMPER_UNROLL
    for (int j = 0; j < pieces_n; ++j) {
      // Of feature lane / 4, this lane's pairs of codes are byte lane % 4 of each of the eight words of the block.
      const auto* codes = reinterpret_cast<const std::uint32_t*>(stage.codes[first_n + j * 8 + lane / 4]);
      TEMPER_UNROLL
      for (int s = 0; s < steps; s += 2) {
        const auto words = device::load<4>(codes + std::ptrdiff_t{2} * s);
        TEMPER_UNROLL
        for (int w = 0; w < 4; ++w) of_weight[j][s + w / 2].r[w % 2] = block.shared.table.of(words[w], lane % 4, lane);
      }
    }
    TEMPER_UNROLL
    for (int i = 0; i < pieces_m; ++i) {
      device::FragmentA of_x[std::size_t{steps}];
      TEMPER_UNROLL
      for (int s = 0; s < steps; ++s) {
        const auto four = stage.x.sixteen_of_a(warp, i * 16, s * 16);
        of_x[s] = {{four.r[0], four.r[1], four.r[2], four.r[3]}};
      }
      TEMPER_UNROLL
      for (int j = 0; j < pieces_n; ++j) {
        device::Accumulator of_block = {};
        TEMPER_UNROLL
        for (int s = 0; s < steps; ++s) mma_bf16(warp, of_block, of_x[s], of_weight[j][s]);
        const int column = first_n + j * 8 + device::accumulator_column(lane, 0);
        const auto scale = device::load<2>(scales + column);
        TEMPER_UNROLL
        for (int r = 0; r < 4; ++r)
          sum[i][j].r[r] = device::fused_multiply_add(scale[r % 2], of_block.r[r], sum[i][j].r[r]);
      }
    }
  }

  // What a thread fetches: pieces of 16 bytes of x and of codes, and scales, of which eight neighbouring threads take
  // the group of a feature.
  struct Sources {
    const bf16* x;
    const unsigned char* codes;
    Index x_step, codes_step;     // from one piece to the next
    int rows_left, columns_left;  // of x and of the codes, from this thread's first piece on
    Index scale, scale_step;
    int features_left, slices_left;  // from this thread's scale on

    TEMPER_DEVICE Sources(const Nf4Tiles& product, const device::Block<Nf4Tiles>& block, int begin, int end) {
      const int thread = block.thread(), m0 = block.index().y * Tile::m, n0 = block.index().x * Tile::n;
      const int blocks_of_64 = product.width / tile_k;
      rows_left = product.tokens - m0 - thread / x_pieces;
      x = product.x + Index{m0 + thread / x_pieces} * product.width + begin * tile_k + thread % x_pieces * 8;
      x_step = Index{threads / x_pieces} * product.width;
      columns_left = product.features - n0 - thread / 2;
      codes = product.weight.codes + (Index{n0 + thread / 2} * blocks_of_64 + begin) * (tile_k / 2) + thread % 2 * 16;
      codes_step = Index{threads / 2} * blocks_of_64 * (tile_k / 2);
      features_left = product.features - n0 - thread / group;
      slices_left = end - begin - thread % group;
      scale = Index{n0 + thread / group} * blocks_of_64 + begin + thread % group;
      scale_step = Index{threads / group} * blocks_of_64;
    }
    TEMPER_DEVICE void next_group() {
      scale += group;
      slices_left -= group;
    }
  };

  TEMPER_DEVICE void fetch(device::AsyncCopies& copies, device::Block<Nf4Tiles>& block, Sources& from, int stage,
                           bool inside) const {
    if (inside) {
      Stage& to = block.shared.stage[stage];
      const int thread = block.thread();
      TEMPER_UNROLL
      for (int turn = 0; turn < Tile::m * x_pieces / threads; ++turn) {
        const bool is_row = turn * (threads / x_pieces) < from.rows_left;
        copies.copy(to.x.tile.piece(thread / x_pieces, thread % x_pieces) + turn * (threads / x_pieces) * tile_k,
                    is_row ? from.x + turn * from.x_step : x, is_row ? 16 : 0);
      }
      TEMPER_UNROLL
      for (int turn = 0; turn < Tile::n * 2 / threads; ++turn) {
        const bool is_column = turn * (threads / 2) < from.columns_left;
        copies.copy(to.codes[thread / 2 + turn * (threads / 2)] + std::ptrdiff_t{16} * (thread % 2),
                    is_column ? from.codes + turn * from.codes_step : weight.codes, is_column ? 16 : 0);
      }
      from.x += tile_k;
      from.codes += tile_k / 2;
    }
    copies.commit();
  }

  // Scales come through registers, as they may be codes: read when the rest is asked for, put when it is there.
  TEMPER_DEVICE Nf4Scales::Read read_scale(const Sources& from, int turn) const {
    if (turn * (threads / group) >= from.features_left || from.slices_left <= 0) return {0, 0};
    return weight.scales.read(from.scale + turn * from.scale_step);
  }
  TEMPER_DEVICE void put_scale(device::Block<Nf4Tiles>& block, int half, int turn, const Nf4Scales::Read& read) const {
    const int thread = block.thread();
    block.shared.scale[half][thread % group][turn * (threads / group) + thread / group] = weight.scales.decode(read);
  }

  // Its right operand takes the place of the table, which has served by then.
  TEMPER_DEVICE void add_low_rank(device::AsyncCopies& copies, device::Block<Nf4Tiles>& block, int r, int m0, int n0,
                                  Sums& sum) const {
    const int first_n = block.warp_index() * Tile::warp_n;
    const device::Warp warp = block.warp();
    auto& left = block.shared.stage[0].x;
    auto& right = block.shared.right;
    block.sync();
    left.template fetch<threads>(copies, block.thread(), low.left, m0, r, tokens, low.rank);
    right.template fetch<threads>(copies, block.thread(), low.right, n0, r, features, low.rank);
    copies.commit();
    copies.template wait<0>();
    block.sync();
    TEMPER_UNROLL
    for (int s = 0; s < tile_k; s += 16) {
      TEMPER_UNROLL
      for (int j = 0; j < pieces_n; j += 2) {
        const auto of_right = right.sixteen_of_b(warp, first_n + j * 8, s);
        TEMPER_UNROLL
        for (int i = 0; i < pieces_m; ++i) {
          const auto four = left.sixteen_of_a(warp, i * 16, s);
          const device::FragmentA of_left{{four.r[0], four.r[1], four.r[2], four.r[3]}};
          mma_bf16(warp, sum[i][j], of_left, {{of_right.r[0], of_right.r[1]}});
          mma_bf16(warp, sum[i][j + 1], of_left, {{of_right.r[2], of_right.r[3]}});
        }
      }
    }
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
