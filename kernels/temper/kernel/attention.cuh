// SPDX-License-Identifier: MIT
// Causal attention within documents, all of them or a sliding window, key-value heads shared by groups of query heads
// (Ainslie et al. 2023), over tiles of keys with a running maximum and sum (attention_tile.cuh). q, y [T, H C];
// k, v [T, K C]; lse [T, H].
//   s = scale q k^T        lse = log sum exp(s)        p = exp(s - lse)        y = p v
// A block takes 64 queries of one document and one head, a warp 16 of them. Scores and sums are in float, p is rounded
// to bf16 for its product. Tiles begin at the document's first token, so that a document has the same bits in every
// pack.
#pragma once
#include "temper/kernel/attention_tile.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

template <int Width>
struct AttentionForward {
  using Rows = AttentionRows<Width>;
  static constexpr int rows = attention_rows, keys = Rows::keys, threads = 128, stages = 2;
  static constexpr int blocks = Width <= 64 ? 3 : Width <= 128 ? 2 : 1;
  struct Stage {
    typename Rows::Keys k;
    typename Rows::Values v;
  };
  struct Shared {
    Slice<Stored::along_k, rows, Width> q;
    Stage stage[stages];
  };
  const bf16* q;
  const bf16* k;
  const bf16* v;
  bf16* y;
  float* lse;
  const AttentionTile* tiles;
  int heads, key_heads;
  float scale;
  AttentionScope scope{};

  static device::Grid grid(std::size_t tiles, int heads) { return {static_cast<int>(tiles), heads, 1}; }

  TEMPER_DEVICE void operator()(device::Block<AttentionForward>& block) const {
    const AttentionTile tile = tiles[block.index().x];
    const int head = block.index().y, key_head = head / (heads / key_heads);
    const AlignedOperand of_q{q + Index{head} * Width, heads * Width};
    const AlignedOperand of_k{k + Index{key_head} * Width, key_heads * Width},
        of_v{v + Index{key_head} * Width, key_heads * Width};
    const int last_key = device::smaller_of(tile.row + rows, tile.end);
    const int first_key = tile.begin + scope.tiles_before(tile, keys) * keys;
    const int steps = device::divide_up(last_key - first_key, keys);
    device::AsyncCopies copies(block);
    const auto fetch = [&](int step) {
      if (step < steps) {
        Stage& stage = block.shared.stage[step % stages];
        const int key = first_key + step * keys;
        stage.k.template fetch<threads>(copies, block.thread(), of_k, key, 0, last_key, Width);
        stage.v.template fetch<threads>(copies, block.thread(), of_v, 0, key, Width, last_key);
      }
      copies.commit();
    };
    block.shared.q.template fetch<threads>(copies, block.thread(), of_q, tile.row, 0, tile.end, Width);
    fetch(0);

    const int first_row = block.warp_index() * 16, row0 = tile.row + first_row, lane = block.lane();
    const int place[2] = {row0 + lane / 4, row0 + lane / 4 + 8};
    Rows of_rows;
    for (int step = 0; step < steps; ++step) {
      copies.template wait<0>();
      block.sync();
      fetch(step + 1);
      const Stage& stage = block.shared.stage[step % stages];
      const int key0 = first_key + step * keys;
      of_rows.attend(block.warp(), block.shared.q, first_row, stage.k, stage.v, scope, scale, place, key0,
                     scope.hides(row0, key0, keys), [] {});
    }

    TEMPER_UNROLL
    for (int r = 0; r < 2; ++r) {
      float sum = of_rows.sum[r];
      sum += block.warp().shuffle_xor(sum, 1);
      sum += block.warp().shuffle_xor(sum, 2);
      const int row = place[r];
      const bool there = row < tile.end;
      const float inverse = device::divide(1.0f, sum);
      put_row(block.warp(), of_rows.total, r, y + (Index{row} * heads + head) * Width, there,
              [&](float total) { return attention_result(total, inverse); });
      if (there && lane % 4 == 0) lse[Index{row} * heads + head] = attention_lse(of_rows.largest[r], sum);
    }
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
