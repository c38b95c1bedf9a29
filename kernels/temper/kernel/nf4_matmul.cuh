// SPDX-License-Identifier: MIT
// y [T, O] = scale columns[O] (x [T, I] W^T + L R^T) + bias + add, where W [O, I] lies in NF4 (nf4.cuh) and is never
// written out: codes are decoded in registers. A byte of two codes finds its pair of bf16 in a table in shared memory
// that has a copy for each bank, so that no look-up waits for another. Blocks of 64 are summed by themselves, in float,
// and scaled once. Two kernels: a warp a feature for few tokens, where reading W is all the time; tensor-core tiles for
// more.
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

  TEMPER_DEVICE void fill(int thread, int threads) {
    const int lane = thread % device::warp_size;
    for (int byte = thread / device::warp_size; byte < 256; byte += threads / device::warp_size) {
      const auto code = static_cast<unsigned>(byte);
      pair[byte][lane] = device::bf16_pair(nf4_value(code >> 4), nf4_value(code));
    }
  }
  TEMPER_DEVICE std::uint32_t of(std::uint32_t word, int which, int lane) const {
    return pair[(word >> (8 * which)) & 255u][lane];
  }
};

// For at most Tokens tokens. A lane takes words of eight codes, and the eight x of each token that go with them.
template <class Out, int Tokens>
struct Nf4FewTokens {
  static constexpr int threads = 256, warps = threads / device::warp_size, features_a_warp = 4;
  struct Shared {
    Nf4PairTable table;
  };
  const bf16* x;  // [tokens, width]
  Nf4Weight weight;
  Out* y;  // [tokens, features]
  int tokens, features, width;
  Epilogue<Out> epilogue;

  static int grid(int features) { return (features + warps * features_a_warp - 1) / (warps * features_a_warp); }

  TEMPER_DEVICE void operator()(device::Block<Nf4FewTokens>& block) const {
    block.shared.table.fill(block.thread(), threads);
    block.sync();
    for (int i = 0; i < features_a_warp; ++i) {
      const int feature = (block.index().x * features_a_warp + i) * warps + block.warp_index();
      if (feature < features) one_feature(block, feature);
    }
  }

  TEMPER_DEVICE void one_feature(device::Block<Nf4FewTokens>& block, int feature) const {
    const Index first = Index{feature} * width;
    const int lane = block.lane();
    float sum[std::size_t{Tokens}] = {};
    const bool in_words = width % 8 == 0 && device::aligned(weight.codes, 4) && device::aligned(x, 16);
    const int words = in_words ? width / 8 : 0;
    for (int w = lane; w < words; w += device::warp_size) {
      const std::uint32_t word =
          device::load<1>(reinterpret_cast<const std::uint32_t*>(weight.codes) + first / 8 + w)[0];
      const float scale = weight.scales((first + Index{w} * 8) / nf4_block);
      std::uint32_t pair[4];
      TEMPER_UNROLL
      for (int b = 0; b < 4; ++b) pair[b] = block.shared.table.of(word, b, lane);
      TEMPER_UNROLL
      for (int t = 0; t < Tokens; ++t) {
        if (t >= tokens) continue;
        const auto eight = device::load<8>(x + Index{t} * width + Index{w} * 8);
        float part = 0;
        TEMPER_UNROLL
        for (int b = 0; b < 4; ++b) {
          part = device::fused_multiply_add(device::low_of(pair[b]), device::widen(eight[2 * b]), part);
          part = device::fused_multiply_add(device::high_of(pair[b]), device::widen(eight[2 * b + 1]), part);
        }
        sum[t] = device::fused_multiply_add(scale, part, sum[t]);
      }
    }
    for (int k = words * 8 + lane; k < width; k += device::warp_size) {
      const Index at = first + k;
      const std::uint32_t pair = block.shared.table.of(weight.codes[at / 2], 0, lane);
      const float value = (at % 2 == 0 ? device::low_of(pair) : device::high_of(pair)) * weight.scales(at / nf4_block);
      TEMPER_UNROLL
      for (int t = 0; t < Tokens; ++t)  // by constants, so that sums stay in registers
        if (t < tokens) sum[t] = device::fused_multiply_add(value, device::widen(x[Index{t} * width + k]), sum[t]);
    }
    TEMPER_UNROLL
    for (int t = 0; t < Tokens; ++t) {
      const float total = warp_sum(block.warp(), sum[t]) * epilogue.scale;
      if (lane == 0 && t < tokens) {
        const Index at = Index{t} * features + feature;
        float value = total;
        if (epilogue.columns != nullptr) value *= epilogue.columns[feature];
        if (epilogue.bias != nullptr) value += device::widen(epilogue.bias[feature]);
        if (epilogue.add != nullptr) value += device::widen(epilogue.add[at]);
        y[at] = device::narrow<Out>(value);
      }
    }
  }
};

// For any number of tokens; width must be a multiple of 64. A slice is one block of 64 of each feature.
template <class Out>
struct Nf4Tiles {
  static constexpr int tile_m = 64, tile_n = 64, tile_k = nf4_block, stages = 3;
  static constexpr int warp_m = 32, warp_n = 32, threads = 128, warps_n = 2;
  static constexpr int pieces_m = warp_m / 16, pieces_n = warp_n / 8, steps = tile_k / 16;
  struct Stage {
    Slice<Stored::along_k, tile_m, tile_k, Fetch::in_line> x;
    device::SwizzledTile<unsigned char, tile_n, tile_k / 2> codes;
    float scale[tile_n];
  };
  struct Shared {
    union {
      Stage stage[stages];
      StagedRows<warp_n> staged[threads / device::warp_size];
    };
    union {
      Nf4PairTable table;
      Slice<Stored::along_k, tile_n, tile_k, Fetch::in_line> right;  // of the product of low rank, which comes last
    };
  };
  const bf16* x;
  Nf4Weight weight;
  Out* y;
  int tokens, features, width;
  Epilogue<Out> epilogue;
  LowRank low{};

  static device::Grid grid(int tokens, int features) {
    return {(features + tile_n - 1) / tile_n, (tokens + tile_m - 1) / tile_m, 1};
  }

  TEMPER_DEVICE void operator()(device::Block<Nf4Tiles>& block) const {
    const int m0 = block.index().y * tile_m, n0 = block.index().x * tile_n, slices = width / tile_k;
    const int first_m = block.warp_index() / warps_n * warp_m, first_n = block.warp_index() % warps_n * warp_n;
    const int lane = block.lane();
    const device::Warp warp = block.warp();
    device::AsyncCopies copies(block);
    device::Accumulator sum[pieces_m][pieces_n] = {};
    block.shared.table.fill(block.thread(), threads);
    for (int slice = 0; slice < stages - 1; ++slice) {
      fetch(copies, block, slice, slices, m0, n0);
      put_scale(block, slice, slices, n0, read_scale(block, slice, slices, n0));
    }
    for (int slice = 0; slice < slices; ++slice) {
      copies.template wait<stages - 2>();
      block.sync();
      const int ahead = slice + stages - 1;
      fetch(copies, block, ahead, slices, m0, n0);
      const Nf4Scales::Read scale_ahead = read_scale(block, ahead, slices, n0);
      const Stage& stage = block.shared.stage[slice % stages];
      device::FragmentA of_x[steps][pieces_m];
      TEMPER_UNROLL
      for (int s = 0; s < steps; ++s) {
        TEMPER_UNROLL
        for (int i = 0; i < pieces_m; ++i) {
          const auto four = stage.x.sixteen_of_a(warp, first_m + i * 16, s * 16);
          of_x[s][i] = {{four.r[0], four.r[1], four.r[2], four.r[3]}};
        }
      }
      TEMPER_UNROLL
      for (int j = 0; j < pieces_n; ++j) {
        // Of feature lane / 4, this lane's pairs of codes are byte lane % 4 of each of the eight words of the block.
        const int row = first_n + j * 8 + lane / 4;
        device::Accumulator part[pieces_m] = {};
        TEMPER_UNROLL
        for (int half = 0; half < 2; ++half) {
          const auto words = device::load<4>(reinterpret_cast<const std::uint32_t*>(stage.codes.piece(row, half)));
          TEMPER_UNROLL
          for (int s = 0; s < 2; ++s) {
            const device::FragmentB of_weight{{block.shared.table.of(words[2 * s], lane % 4, lane),
                                               block.shared.table.of(words[2 * s + 1], lane % 4, lane)}};
            TEMPER_UNROLL
            for (int i = 0; i < pieces_m; ++i) mma_bf16(warp, part[i], of_x[2 * half + s][i], of_weight);
          }
        }
        const int column = first_n + j * 8 + device::accumulator_column(lane, 0);
        const float scale[2] = {stage.scale[column], stage.scale[column + 1]};
        TEMPER_UNROLL
        for (int i = 0; i < pieces_m; ++i) {
          TEMPER_UNROLL
          for (int r = 0; r < 4; ++r)
            sum[i][j].r[r] = device::fused_multiply_add(scale[r % 2], part[i].r[r], sum[i][j].r[r]);
        }
      }
      put_scale(block, ahead, slices, n0, scale_ahead);
    }
    for (int r = 0; r < low.rank; r += tile_k) add_low_rank(copies, block, r, m0, n0, sum);
    block.sync();  // the stages have served
    in_rows<Result<Out>::width>(warp, block.shared.staged[block.warp_index()], sum, m0 + first_m, n0 + first_n,
                                Result<Out>{y, tokens, features, epilogue});
  }

  TEMPER_DEVICE void fetch(device::AsyncCopies& copies, device::Block<Nf4Tiles>& block, int slice, int slices, int m0,
                           int n0) const {
    if (slice < slices) {
      Stage& stage = block.shared.stage[slice % stages];
      stage.x.template fetch<threads>(copies, block.thread(), {x, width}, m0, slice * tile_k, tokens, width);
      const int row = block.thread() / 2, half = block.thread() % 2;
      const bool inside = n0 + row < features;
      const Index number = inside ? Index{n0 + row} * slices + slice : 0;  // of the block of 64
      copies.copy(stage.codes.piece(row, half), weight.codes + number * (nf4_block / 2) + Index{half} * 16,
                  inside ? 16 : 0);
    }
    copies.commit();
  }

  // Scales come through registers, as they may be codes: read when the rest is asked for, put when it is there. The
  // even threads have a feature each; there is none beyond the last.
  TEMPER_DEVICE bool has_scale(const device::Block<Nf4Tiles>& block, int slice, int slices, int n0) const {
    return block.thread() % 2 == 0 && slice < slices && n0 + block.thread() / 2 < features;
  }
  TEMPER_DEVICE Nf4Scales::Read read_scale(const device::Block<Nf4Tiles>& block, int slice, int slices, int n0) const {
    if (!has_scale(block, slice, slices, n0)) return {0, 0};
    return weight.scales.read(Index{n0 + block.thread() / 2} * slices + slice);
  }
  TEMPER_DEVICE void put_scale(device::Block<Nf4Tiles>& block, int slice, int slices, int n0,
                               const Nf4Scales::Read& read) const {
    if (block.thread() % 2 != 0) return;
    block.shared.stage[slice % stages].scale[block.thread() / 2] =
        has_scale(block, slice, slices, n0) ? weight.scales.decode(read) : 0.0f;
  }

  // Its right operand takes the place of the table, which has served by then.
  TEMPER_DEVICE void add_low_rank(device::AsyncCopies& copies, device::Block<Nf4Tiles>& block, int r, int m0, int n0,
                                  device::Accumulator (&sum)[pieces_m][pieces_n]) const {
    const int first_m = block.warp_index() / warps_n * warp_m, first_n = block.warp_index() % warps_n * warp_n;
    const device::Warp warp = block.warp();
    auto &left = block.shared.stage[0].x, &right = block.shared.right;
    block.sync();
    left.template fetch<threads>(copies, block.thread(), low.left, m0, r, tokens, low.rank);
    right.template fetch<threads>(copies, block.thread(), low.right, n0, r, features, low.rank);
    copies.commit();
    copies.template wait<0>();
    block.sync();
    TEMPER_UNROLL
    for (int s = 0; s < tile_k; s += 16) {
      device::FragmentA of_left[pieces_m];
      TEMPER_UNROLL
      for (int i = 0; i < pieces_m; ++i) {
        const auto four = left.sixteen_of_a(warp, first_m + i * 16, s);
        of_left[i] = {{four.r[0], four.r[1], four.r[2], four.r[3]}};
      }
      TEMPER_UNROLL
      for (int j = 0; j < pieces_n; j += 2) {
        const auto four = right.sixteen_of_b(warp, first_n + j * 8, s);
        TEMPER_UNROLL
        for (int i = 0; i < pieces_m; ++i) {
          mma_bf16(warp, sum[i][j], of_left[i], {{four.r[0], four.r[1]}});
          mma_bf16(warp, sum[i][j + 1], of_left[i], {{four.r[2], four.r[3]}});
        }
      }
    }
  }
};

// The kernel that fits: by the number of tokens, and what the width allows. A warp a feature reads and multiplies for
// each token anew, so that from a few tokens on tiles take fewer instructions, empty rows and all
// (docs/kernel_speed.md). A product of low rank asks for a width of whole blocks of 64.
template <class Out>
void nf4_matmul(device::Stream& stream, const bf16* x, Nf4Weight weight, Out* y, int tokens, int features, int width,
                const Epilogue<Out>& epilogue = {}, const LowRank& low = {}) {
  const bool tiles = width % nf4_block == 0 && device::aligned(weight.codes, 16);
  if ((tokens > 4 && tiles) || low.rank > 0) {
    device::launch(stream, Nf4Tiles<Out>::grid(tokens, features),
                   Nf4Tiles<Out>{x, weight, y, tokens, features, width, epilogue, low});
    return;
  }
  for (int t = 0; t < tokens; t += 16) {
    Epilogue<Out> here = epilogue;
    if (here.add != nullptr) here.add += Index{t} * features;
    const int some = device::smaller_of(tokens - t, 16);
    const auto few = [&]<int Tokens>() {
      device::launch(stream, {Nf4FewTokens<Out, Tokens>::grid(features), 1, 1},
                     Nf4FewTokens<Out, Tokens>{x + Index{t} * width, weight, y + Index{t} * features, some, features,
                                               width, here});
    };
    some == 1 ? few.template operator()<1>() : some <= 4 ? few.template operator()<4>() : few.template operator()<16>();
  }
}

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
