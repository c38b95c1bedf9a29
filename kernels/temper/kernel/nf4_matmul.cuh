// SPDX-License-Identifier: MIT
// y [T, O] = scale columns[O] (x [T, I] W^T + L R^T) + bias + add, where W [O, I] lies in NF4: the kernel that fits.
// Tensor-core tiles (nf4_tiles.cuh) where the width is whole blocks of 64; a warp a feature for other widths.
#pragma once
#include <span>

#include "temper/kernel/matmul_parts.cuh"
#include "temper/kernel/nf4_tiles.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// For widths that are no whole blocks of 64, and at most so many tokens. A lane takes words of eight codes, and the
// eight x of each token that go with them.
template <class Out>
struct Nf4AnyWidth {
  static constexpr int threads = 256, warps = threads / device::warp_size, features_a_warp = 4, most_tokens = 16;
  struct Shared {
    Nf4PairTable table;
  };
  const bf16* x;  // [tokens, width]
  Nf4Weight weight;
  Out* y;  // [tokens, features]
  int tokens, features, width;
  Epilogue<Out> epilogue;

  static int grid(int features) { return (features + warps * features_a_warp - 1) / (warps * features_a_warp); }

  TEMPER_DEVICE void operator()(device::Block<Nf4AnyWidth>& block) const {
    block.shared.table.template fill<threads>(block.thread());
    block.sync();
    for (int i = 0; i < features_a_warp; ++i) {
      const int feature = (block.index().x * features_a_warp + i) * warps + block.warp_index();
      if (feature < features) one_feature(block, feature);
    }
  }

  TEMPER_DEVICE void one_feature(device::Block<Nf4AnyWidth>& block, int feature) const {
    const Index first = Index{feature} * width;
    const int lane = block.lane();
    float sum[std::size_t{most_tokens}] = {};
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
      for (int t = 0; t < most_tokens; ++t) {
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
      for (int t = 0; t < most_tokens; ++t)  // by constants, so that sums stay in registers
        if (t < tokens) sum[t] = device::fused_multiply_add(value, device::widen(x[Index{t} * width + k]), sum[t]);
    }
    const Result<Out> result{y, tokens, features, epilogue};
    TEMPER_UNROLL
    for (int t = 0; t < most_tokens; ++t) {
      if (t >= tokens) continue;  // all lanes alike
      const float total = warp_sum(block.warp(), sum[t]);
      if (lane != 0) continue;
      const Index at = Index{t} * features + feature;
      y[at] = result.one(feature, total, epilogue.add != nullptr ? epilogue.add[at] : Out{});
    }
  }
};

// Floats that parts of a product take: those of few tokens, or of few tiles, which alone would leave half or more of a
// large device idle. As bits do not depend on who makes the parts, this follows speed alone.
inline std::size_t nf4_partial(int tokens, int features, int width) {
  constexpr int few_tiles = 64;
  const int slices = width / nf4_block, parts = device::divide_up(slices, nf4_part(features, width));
  const Index tiles = Index{device::divide_up(tokens, Nf4Tile64::m)} * device::divide_up(features, Nf4Tile64::n);
  const bool few = tokens <= Nf4Tile64::m || tiles <= few_tiles;
  if (width % nf4_block != 0 || !few || parts <= 1) return 0;
  return static_cast<std::size_t>(tokens) * static_cast<std::size_t>(features) * static_cast<std::size_t>(parts);
}

// 'partial' has nf4_partial(tokens, features, width) floats or more, all of this stream alone until the product is
// there: products of one stream may share it. Without it, empty, a block makes all parts: the same bits, later. So are
// those of a row, whatever the number of tokens. A product of low rank asks for a width of whole blocks of 64.
template <class Out>
void nf4_matmul(device::Stream& stream, const bf16* x, Nf4Weight weight, Out* y, int tokens, int features, int width,
                std::span<float> partial, const Epilogue<Out>& epilogue = {}, const LowRank& low = {}) {
  const bool tiles = width % nf4_block == 0 && device::aligned(weight.codes, 16) && device::aligned(x, 16);
  require(
      tiles || low.rank == 0, Fault::usage, "kernel.shape",
      "a product in NF4 of width {} with one of low rank; the width must be a multiple of 64, and x and codes begin "
      "at multiples of 16 bytes",
      width);
  if (tiles) {
    const std::size_t floats = nf4_partial(tokens, features, width);
    require(partial.empty() || partial.size() >= floats, Fault::usage, "kernel.shape",
            "{} floats for the parts of a product in NF4, {} tokens x {} features x {}; give nf4_partial's {}, or none",
            partial.size(), tokens, features, width, floats);
    const int part = nf4_part(features, width);
    const int parts = partial.empty() || floats == 0 ? 1 : device::divide_up(width / nf4_block, part);
    const auto run = [&]<class Tile>() {
      device::Grid grid = Nf4Tiles<Out, Tile>::grid(tokens, features);
      grid.z = parts;
      if (parts == 1)
        return device::launch(stream, grid,
                              Nf4Tiles<Out, Tile>{x, weight, y, tokens, features, width, part, epilogue, low});
      device::launch(stream, grid,
                     Nf4Tiles<float, Tile>{x, weight, partial.data(), tokens, features, width, part, {}, low});
      device::launch(stream, {AddParts<Out>::grid(tokens, features), 1, 1},
                     AddParts<Out>{partial.data(), parts, {y, tokens, features, epilogue}});
    };
    if (tokens <= Nf4Tile16::m) return run.template operator()<Nf4Tile16>();
    if (tokens <= Nf4Tile32::m) return run.template operator()<Nf4Tile32>();
    return run.template operator()<Nf4Tile64>();
  }
  using AnyWidth = Nf4AnyWidth<Out>;
  for (int t = 0; t < tokens; t += AnyWidth::most_tokens) {
    Epilogue<Out> here = epilogue;
    if (here.add != nullptr) here.add += Index{t} * features;
    const int some = device::smaller_of(tokens - t, AnyWidth::most_tokens);
    device::launch(stream, {AnyWidth::grid(features), 1, 1},
                   AnyWidth{x + Index{t} * width, weight, y + Index{t} * features, some, features, width, here});
  }
}

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
