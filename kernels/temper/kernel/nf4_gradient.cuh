// SPDX-License-Identifier: MIT
// dx [T, I] = scale (dy [T, O] W + L R) + add, where W [O, I] lies in NF4 (nf4.cuh): the gradient of the input. A slice
// of W is decoded from a ring of codes into bf16 in shared memory, one slice ahead of the tensor cores; there is no
// dense copy. The value of an element is the one that Nf4Dequantize<bf16> writes: code times scale, rounded to bf16.
// L R is the gradient through adapters of low rank; R [rank, I] takes the place of W in the last slices.
#pragma once
#include "temper/device/launch.cuh"
#include "temper/kernel/matmul.cuh"
#include "temper/kernel/nf4_matmul.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// Whole blocks of 64 in each row: a tile's codes are then pieces of 16 bytes under one scale for each 64, and so must
// the rows of R be. Any: element by element.
enum class Nf4Rows { whole_blocks, any };

template <class Out, class Tile, Nf4Rows Rows>
struct Nf4InputGradient {
  static constexpr int warps_m = Tile::m / Tile::warp_m, warps_n = Tile::n / Tile::warp_n, stages = 4;
  static constexpr int threads = warps_m * warps_n * device::warp_size;
  static constexpr int pieces_m = Tile::warp_m / 16, pieces_n = Tile::warp_n / 8, blocks = Tile::blocks;
  static constexpr int blocks_of_64 = Tile::n / nf4_block, words = Tile::n / 8, scales = Tile::k * blocks_of_64;
  static_assert(Tile::n % nf4_block == 0 && scales <= threads);
  using Decoded = Slice<Stored::across_k, Tile::n, Tile::k>;
  struct Stage {
    Slice<Stored::along_k, Tile::m, Tile::k, Fetch::in_line> dy;
    alignas(16) std::uint32_t codes[std::size_t{Tile::k}][std::size_t{words}];
    float scale[std::size_t{Tile::k}][std::size_t{blocks_of_64}];
  };
  struct Shared {
    union {
      Stage stage[std::size_t{stages}];
      StagedRows<Tile::warp_n> staged[std::size_t{warps_m} * warps_n];
    };
    Decoded weight[2];
    float value[16][device::warp_size];  // of a code, a copy for each bank
  };
  Operand dy;  // [tokens, features]
  Nf4Weight weight;
  Out* dx;  // [tokens, width]
  int tokens, features, width;
  Epilogue<Out> epilogue;
  LowRank low{};

  static device::Grid grid(int tokens, int width) {
    return {(width + Tile::n - 1) / Tile::n, (tokens + Tile::m - 1) / Tile::m, 1};
  }

  // Where a slice of k lies: features, and behind the last of them the columns of the adapters.
  struct Place {
    int first;
    bool of_base, any;
  };
  TEMPER_DEVICE Place place(int slice) const {
    const int of_base = device::divide_up(features, Tile::k), behind = slice - of_base;
    return {(behind < 0 ? slice : behind) * Tile::k, behind < 0, behind < 0 || behind * Tile::k < low.rank};
  }
  TEMPER_DEVICE void operator()(device::Block<Nf4InputGradient>& block) const {
    const int m0 = block.index().y * Tile::m, n0 = block.index().x * Tile::n, lane = block.lane();
    const int warp_m = block.warp_index() / warps_n * Tile::warp_m,
              warp_n = block.warp_index() % warps_n * Tile::warp_n;
    const int slices = device::divide_up(features, Tile::k) + device::divide_up(low.rank, Tile::k);
    const device::Warp warp = block.warp();
    device::AsyncCopies copies(block);
    device::Accumulator sum[std::size_t{pieces_m}][std::size_t{pieces_n}] = {};
    for (int code = block.warp_index(); code < 16; code += threads / device::warp_size)
      block.shared.value[code][lane] = nf4_value(static_cast<unsigned>(code));
    for (int slice = 0; slice < stages - 1; ++slice) {
      fetch(copies, block, slice, m0, n0);
      put_scale(block, slice, n0, read_scale(block, slice, n0));
    }
    copies.template wait<stages - 2>();
    block.sync();
    if (slices > 0) decode(block, 0, n0);

    for (int slice = 0; slice < slices; ++slice) {
      copies.template wait<stages - 3>();  // the next slice, too: its codes are decoded now
      block.sync();
      const int ahead = slice + stages - 1;
      fetch(copies, block, ahead, m0, n0);
      const Nf4Scales::Read scale_ahead = read_scale(block, ahead, n0);
      if (slice + 1 < slices) decode(block, slice + 1, n0);
      const auto& of_dy = block.shared.stage[slice % stages].dy;
      const Decoded& of_weight = block.shared.weight[slice % 2];
      TEMPER_UNROLL
      for (int step = 0; step < Tile::k; step += 16) {
        device::FragmentA left[std::size_t{pieces_m}];
        TEMPER_UNROLL
        for (int i = 0; i < pieces_m; ++i) {
          const auto four = of_dy.sixteen_of_a(warp, warp_m + i * 16, step);
          left[i] = {{four.r[0], four.r[1], four.r[2], four.r[3]}};
        }
        TEMPER_UNROLL
        for (int j = 0; j < pieces_n; j += 2) {
          const auto four = of_weight.sixteen_of_b(warp, warp_n + j * 8, step);
          TEMPER_UNROLL
          for (int i = 0; i < pieces_m; ++i) {
            mma_bf16(warp, sum[i][j], left[i], {{four.r[0], four.r[1]}});
            mma_bf16(warp, sum[i][j + 1], left[i], {{four.r[2], four.r[3]}});
          }
        }
      }
      put_scale(block, ahead, n0, scale_ahead);
    }
    block.sync();  // the stages have served
    in_rows<Result<Out>::width>(warp, block.shared.staged[block.warp_index()], sum, m0 + warp_m, n0 + warp_n,
                                Result<Out>{dx, tokens, width, epilogue});
  }

  // Begins to fetch a slice of dy, and the codes that go with it where they are in pieces.
  TEMPER_DEVICE void fetch(device::AsyncCopies& copies, device::Block<Nf4InputGradient>& block, int slice, int m0,
                           int n0) const {
    const Place at = place(slice);
    if (at.any) {
      Stage& stage = block.shared.stage[slice % stages];
      stage.dy.template fetch<threads>(copies, block.thread(), at.of_base ? dy : low.left, m0, at.first, tokens,
                                       at.of_base ? features : low.rank);
      if (Rows == Nf4Rows::whole_blocks && at.of_base) {
        constexpr int pieces = words / 4;
        for (int i = block.thread(); i < Tile::k * pieces; i += threads) {
          const int row = i / pieces, word = i % pieces * 4;
          const bool inside = at.first + row < features && n0 + word * 8 < width;
          const Index byte = inside ? (Index{at.first + row} * width + n0 + Index{word} * 8) / 2 : 0;
          copies.copy(&stage.codes[row][word], weight.codes + byte, inside ? 16 : 0);
        }
      }
    }
    copies.commit();
  }

  // Scales come through registers, as they may be codes: read when the rest is asked for, put when it is there.
  TEMPER_DEVICE bool has_scale(const device::Block<Nf4InputGradient>& block, int slice, int n0) const {
    const Place at = place(slice);
    return Rows == Nf4Rows::whole_blocks && at.of_base && block.thread() < scales &&
           at.first + block.thread() / blocks_of_64 < features &&
           n0 + block.thread() % blocks_of_64 * nf4_block < width;
  }
  TEMPER_DEVICE Nf4Scales::Read read_scale(const device::Block<Nf4InputGradient>& block, int slice, int n0) const {
    if (!has_scale(block, slice, n0)) return {0, 0};
    const Index feature = place(slice).first + block.thread() / blocks_of_64;
    return weight.scales.read(feature * (width / nf4_block) + n0 / nf4_block + block.thread() % blocks_of_64);
  }
  TEMPER_DEVICE void put_scale(device::Block<Nf4InputGradient>& block, int slice, int n0,
                               const Nf4Scales::Read& read) const {
    if (block.thread() >= scales) return;
    block.shared.stage[slice % stages].scale[block.thread() / blocks_of_64][block.thread() % blocks_of_64] =
        has_scale(block, slice, n0) ? weight.scales.decode(read) : 0.0f;
  }

  // Writes a slice of the weight; what is outside is zero.
  TEMPER_DEVICE void decode(device::Block<Nf4InputGradient>& block, int slice, int n0) const {
    if constexpr (Rows == Nf4Rows::any) {
      decode_elements(block, slice, n0);
    } else {
      decode_words(block, slice, n0);
    }
  }
  TEMPER_DEVICE void decode_elements(device::Block<Nf4InputGradient>& block, int slice, int n0) const {
    const Place at = place(slice);
    Decoded& to = block.shared.weight[slice % 2];
    for (int i = block.thread(); i < Tile::k * Tile::n / 2; i += threads) {
      const int row = i / (Tile::n / 2), within = i % (Tile::n / 2) * 2, k = at.first + row;
      device::store(to.tile.piece(row, within / 8) + within % 8,
                    device::Vector<bf16, 2>{{device::narrow<bf16>(element(at, k, n0 + within)),
                                             device::narrow<bf16>(element(at, k, n0 + within + 1))}});
    }
  }
  // Eight neighbours a thread.
  TEMPER_DEVICE void decode_words(device::Block<Nf4InputGradient>& block, int slice, int n0) const {
    const Place at = place(slice);
    const Stage& stage = block.shared.stage[slice % stages];
    Decoded& to = block.shared.weight[slice % 2];
    const int lane = block.lane();
    for (int i = block.thread(); i < Tile::k * words; i += threads) {
      const int row = i / words, word = i % words, k = at.first + row, column = n0 + word * 8;
      device::Vector<bf16, 8> eight;
      if (at.of_base) {
        const std::uint32_t codes = stage.codes[row][word];
        const float scale = stage.scale[row][word / (nf4_block / 8)];
        std::uint32_t pair[4];
        TEMPER_UNROLL
        for (int e = 0; e < 4; ++e)
          pair[e] = device::bf16_pair(block.shared.value[(codes >> (8 * e + 4)) & 15u][lane] * scale,
                                      block.shared.value[(codes >> (8 * e)) & 15u][lane] * scale);
        std::memcpy(&eight, pair, sizeof eight);
      } else if (k < low.rank && column < width) {
        eight = device::load<8>(low.right.data + Index{k} * low.right.stride + column);
      } else {
        eight = {};
      }
      device::store(to.tile.piece(row, word), eight);
    }
  }
  TEMPER_DEVICE float element(const Place& at, int k, int column) const {
    if (k >= (at.of_base ? features : low.rank) || column >= width) return 0;
    if (!at.of_base) return device::widen(low.right.data[Index{k} * low.right.stride + column]);
    const Index i = Index{k} * width + column;
    const unsigned byte = weight.codes[i / 2];
    return nf4_value(i % 2 == 0 ? byte >> 4 : byte & 15u) * weight.scales(i / nf4_block);
  }
};

// The kernel that fits.
template <class Out>
void nf4_input_gradient(device::Stream& stream, const bf16* dy, Nf4Weight weight, Out* dx, int tokens, int features,
                        int width, const Epilogue<Out>& epilogue = {}, const LowRank& low = {}) {
  const auto run = [&]<class Tile, Nf4Rows Rows>() {
    using Kernel = Nf4InputGradient<Out, Tile, Rows>;
    device::launch(stream, Kernel::grid(tokens, width),
                   Kernel{{dy, features}, weight, dx, tokens, features, width, epilogue, low});
  };
  const bool whole = width % nf4_block == 0 && device::aligned(weight.codes, 16) && low.right.in_pieces();
  if (!whole) {
    run.template operator()<SmallTile, Nf4Rows::any>();
  } else if (tokens > 64 && width > 64) {
    run.template operator()<LargeTile, Nf4Rows::whole_blocks>();
  } else {
    run.template operator()<SmallTile, Nf4Rows::whole_blocks>();
  }
}

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
