// SPDX-License-Identifier: MIT
// Causal attention within documents, all of them or a sliding window, key-value heads shared by groups of query heads
// (Ainslie et al. 2023), over tiles of keys with a running maximum and sum (Milakov and Gimelshein 2018; Dao 2023). q,
// y [T, H C]; k, v [T, K C]; lse [T, H].
//   s = scale q k^T        lse = log sum exp(s)        p = exp(s - lse)        y = p v
// A block takes 64 queries of one document and one head, a warp 16 of them. Scores and sums are in float, p is rounded
// to bf16 for its product. Tiles begin at the document's first token, so that a document has the same bits in every
// pack.
#pragma once
#include <vector>

#include "temper/kernel/matmul.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// The queries [row, row + 64) of the document [begin, end) of the pack.
struct AttentionTile {
  int begin, end, row;
};
inline constexpr int attention_rows = 64;

// The tiles of a pack whose documents are [offsets[i], offsets[i + 1]): the longest work first, so that none ends
// alone.
inline std::vector<AttentionTile> attention_tiles(const std::vector<std::int32_t>& offsets) {
  std::vector<AttentionTile> tiles;
  int longest = 0;
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    const int length = offsets[i + 1] - offsets[i];
    longest = longest < length ? length : longest;
  }
  const int most = (longest + attention_rows - 1) / attention_rows;
  for (int number = most - 1; number >= 0; --number) {
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
      const int row = offsets[i] + number * attention_rows;
      if (row < offsets[i + 1]) tiles.push_back({offsets[i], offsets[i + 1], row});
    }
  }
  return tiles;
}

// What a query sees of the keys before it, and how a score is bounded.
struct AttentionScope {
  int window = 0;  // so many keys, itself among them; 0: all
  float cap = 0;   // score = cap tanh(score / cap); 0: as it is

  // How many whole tiles of the document come before all that a tile of queries sees.
  TEMPER_BOTH int tiles_before(const AttentionTile& tile, int keys) const {
    const int unseen = window > 0 ? tile.row - window + 1 - tile.begin : 0;
    return unseen > 0 ? unseen / keys : 0;
  }
  // Of any of sixteen queries from 'row' on, and of 'keys' keys from 'key' on: is there a key that one does not see?
  TEMPER_BOTH bool hides(int row, int key, int keys) const {
    return key + keys > row || (window > 0 && key + window <= row + 15);
  }
  TEMPER_BOTH bool hidden(int row, int key) const { return key > row || (window > 0 && key + window <= row); }
  // tanh(score / cap), through a power of two that may overflow: 2 / infinity is 0.
  TEMPER_DEVICE float bent(float score) const {
    const float e = device::power_of_two(device::divide(score, cap) * (2 * 1.44269504088896340736f));
    return 1.0f - device::divide(2.0f, 1.0f + e);
  }
};

template <int Width>
struct AttentionForward {
  static constexpr int rows = attention_rows, keys = 64, threads = 128, stages = 2;
  static constexpr int key_pieces = keys / 8, width_pieces = Width / 8;
  struct Stage {
    Slice<Stored::along_k, keys, Width> k;
    Slice<Stored::across_k, Width, keys> v;
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
    const Operand of_q{q + Index{head} * Width, heads * Width};
    const Operand of_k{k + Index{key_head} * Width, key_heads * Width},
        of_v{v + Index{key_head} * Width, key_heads * Width};
    const device::Warp warp = block.warp();
    const int first_row = block.warp_index() * 16, lane = block.lane();
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

    // Each lane has two rows: lane / 4 of its warp's sixteen, and eight below.
    const float to_power_of_two = (scope.cap > 0 ? 1.0f : scale) * 1.44269504088896340736f;
    device::Accumulator sum_of_values[std::size_t{width_pieces}] = {};
    float highest[2] = {-device::infinity(), -device::infinity()}, sum[2] = {};
    for (int step = 0; step < steps; ++step) {
      copies.template wait<0>();
      block.sync();
      fetch(step + 1);
      const Stage& stage = block.shared.stage[step % stages];

      device::Accumulator score[key_pieces] = {};
      TEMPER_UNROLL
      for (int c = 0; c < Width / 16; ++c) {
        // Read again for each tile of keys: in registers they would leave too few for the sums of 128 columns.
        const auto sixteen = block.shared.q.sixteen_of_a(warp, first_row, c * 16);
        const device::FragmentA of_query{{sixteen.r[0], sixteen.r[1], sixteen.r[2], sixteen.r[3]}};
        TEMPER_UNROLL
        for (int j = 0; j < key_pieces; j += 2) {
          const auto four = stage.k.sixteen_of_b(warp, j * 8, c * 16);
          mma_bf16(warp, score[j], of_query, {{four.r[0], four.r[1]}});
          mma_bf16(warp, score[j + 1], of_query, {{four.r[2], four.r[3]}});
        }
      }

      // Hide what a row does not see, which only tiles at the ends have (past the last key is past each row), and find
      // each row's new maximum.
      const int row0 = tile.row + first_row, key0 = first_key + step * keys;
      const bool hides = scope.hides(row0, key0, keys);
      float now[2] = {highest[0], highest[1]};
      TEMPER_UNROLL
      for (int j = 0; j < key_pieces; ++j) {
        TEMPER_UNROLL
        for (int i = 0; i < 4; ++i) {
          const int key = key0 + j * 8 + device::accumulator_column(lane, i);
          const bool hidden = hides && scope.hidden(row0 + device::accumulator_row(lane, i), key);
          if (scope.cap > 0) score[j].r[i] = scope.cap * scope.bent(score[j].r[i] * scale);
          score[j].r[i] = hidden ? -device::infinity() : score[j].r[i] * to_power_of_two;
          now[i / 2] = device::larger(now[i / 2], score[j].r[i]);
        }
      }
      float base[2];
      TEMPER_UNROLL
      for (int r = 0; r < 2; ++r) {
        now[r] = device::larger(now[r], warp.shuffle_xor(now[r], 1));
        now[r] = device::larger(now[r], warp.shuffle_xor(now[r], 2));
        // With a window a row may see nothing of its first tiles; a base of 0 keeps infinities from meeting.
        base[r] = now[r] == -device::infinity() ? 0.0f : now[r];
        const float shrink = device::power_of_two(highest[r] - base[r]);
        highest[r] = now[r];
        sum[r] *= shrink;
        TEMPER_UNROLL
        for (int j = 0; j < width_pieces; ++j) {
          sum_of_values[j].r[2 * r] *= shrink;
          sum_of_values[j].r[2 * r + 1] *= shrink;
        }
      }
      TEMPER_UNROLL
      for (int j = 0; j < key_pieces; ++j) {
        TEMPER_UNROLL
        for (int i = 0; i < 4; ++i) {
          score[j].r[i] = device::power_of_two(score[j].r[i] - base[i / 2]);
          sum[i / 2] += score[j].r[i];
        }
      }

      // Two neighbouring pieces of scores are, as they lie in registers, the left operand of 16 keys.
      TEMPER_UNROLL
      for (int j = 0; j < key_pieces; j += 2) {
        const float *one = score[j].r, *other = score[j + 1].r;
        const device::FragmentA of_p{{device::bf16_pair(one[0], one[1]), device::bf16_pair(one[2], one[3]),
                                      device::bf16_pair(other[0], other[1]), device::bf16_pair(other[2], other[3])}};
        TEMPER_UNROLL
        for (int c = 0; c < width_pieces; c += 2) {
          const auto four = stage.v.sixteen_of_b(warp, c * 8, j * 8);
          mma_bf16(warp, sum_of_values[c], of_p, {{four.r[0], four.r[1]}});
          mma_bf16(warp, sum_of_values[c + 1], of_p, {{four.r[2], four.r[3]}});
        }
      }
    }

    TEMPER_UNROLL
    for (int r = 0; r < 2; ++r) {
      sum[r] += warp.shuffle_xor(sum[r], 1);
      sum[r] += warp.shuffle_xor(sum[r], 2);
      const int row = tile.row + first_row + lane / 4 + 8 * r;
      if (row >= tile.end) continue;
      const float inverse = device::divide(1.0f, sum[r]);
      bf16* to = y + (Index{row} * heads + head) * Width;
      TEMPER_UNROLL
      for (int c = 0; c < width_pieces; ++c) {
        const device::Vector<bf16, 2> pair{{device::narrow<bf16>(sum_of_values[c].r[2 * r] * inverse),
                                            device::narrow<bf16>(sum_of_values[c].r[2 * r + 1] * inverse)}};
        device::store(to + Index{c} * 8 + Index{lane} % 4 * 2, pair);
      }
      if (lane % 4 == 0)
        lse[Index{row} * heads + head] = (highest[r] + device::logarithm_of_two(sum[r])) * 0.693147180559945309417f;
    }
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
