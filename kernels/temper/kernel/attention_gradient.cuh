// SPDX-License-Identifier: MIT
// The gradients of attention.cuh without atomics (after Dao 2023), from y and lse of the forward pass:
//   d = sum over c of dy y      p = exp(s - lse)      ds = p (dy v^T - d), times 1 - tanh^2 where scores are capped
//   dq = scale ds k             dk = scale ds^T q     dv = p^T dy
// Three kernels: d; dq by tiles of queries; dk and dv by tiles of keys, over the heads that share them. Scores are made
// anew in both. p and ds are rounded to bf16 for their products, sums are in float, in an order that is fixed.
#pragma once
#include "temper/kernel/attention.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// What the gradients come from: q, y, dy [T, H C]; k, v [T, K C]; lse and d [T, H].
struct AttentionInputs {
  const bf16* q;
  const bf16* k;
  const bf16* v;
  const bf16* dy;
  const float* lse;
  const float* d;
  int heads, key_heads;
  float scale;
  AttentionScope scope{};

  struct Gradient {
    float p, ds;  // ds of the score as it was before the cap
  };
  // Of one score, from q k^T and dy v^T.
  TEMPER_DEVICE Gradient of(float product, float dp, float row_lse, float row_d, bool hidden) const {
    const float score = product * scale, bend = scope.cap > 0 ? scope.bent(score) : 0.0f;
    const float capped = scope.cap > 0 ? scope.cap * bend : score;
    const float p = hidden ? 0.0f : device::power_of_two((capped - row_lse) * 1.44269504088896340736f);
    return {p, p * (dp - row_d) * (1.0f - bend * bend)};
  }
};

// A warp a row of a head; of some widths not all lanes have a part.
template <int Width>
struct AttentionRowSums {
  static constexpr int threads = 256, warps = threads / device::warp_size;
  static constexpr int width = Width <= 64 ? 2 : Width <= 128 ? 4 : 8;
  using Shared = device::NoShared;
  const bf16* y;
  const bf16* dy;
  float* d;
  Index rows;  // T H

  static device::Grid grid(Index rows) { return {static_cast<int>((rows + warps - 1) / warps), 1, 1}; }

  TEMPER_DEVICE void operator()(device::Block<AttentionRowSums>& block) const {
    const Index row = Index{block.index().x} * warps + block.warp_index();
    if (row >= rows) return;
    float sum = 0;
    if (block.lane() < Width / width) {
      const Index first = row * Width + block.lane() * width;
      const auto of_y = device::load<width>(y + first), of_dy = device::load<width>(dy + first);
      TEMPER_UNROLL
      for (int i = 0; i < width; ++i)
        sum = device::fused_multiply_add(device::widen(of_y[i]), device::widen(of_dy[i]), sum);
    }
    sum = warp_sum(block.warp(), sum);
    if (block.lane() == 0) d[row] = sum;
  }
};

// Two neighbouring pieces of an accumulator as the left operand of the next product.
TEMPER_DEVICE device::FragmentA left_operand(const device::Accumulator& one, const device::Accumulator& other) {
  return {{device::bf16_pair(one.r[0], one.r[1]), device::bf16_pair(one.r[2], one.r[3]),
           device::bf16_pair(other.r[0], other.r[1]), device::bf16_pair(other.r[2], other.r[3])}};
}

// A warp's sixteen rows of a gradient, scaled, into [.., stride] from row 'first' on, those before 'end'.
template <class Sums>
TEMPER_DEVICE void put_rows(const device::Warp& warp, const Sums& sum, float scale, bf16* to, int stride, int first,
                            int end) {
  TEMPER_UNROLL
  for (int r = 0; r < 2; ++r) {
    const int row = first + warp.lane() / 4 + 8 * r;
    put_row(warp, sum, r, to + Index{row} * stride, row < end, [&](float total) { return total * scale; });
  }
}

// Rows beyond a document are zero in q, k, v and dy, and so is all that comes of them; none of them need be hidden.
// A block takes a tile of queries of one head, and goes over the keys that they see.
template <int Width>
struct AttentionQueryGradient {
  static constexpr int rows = attention_rows, keys = Width <= 128 ? 32 : 16, threads = 128, stages = 2;
  static constexpr int blocks = Width <= 64 ? 4 : Width <= 128 ? 2 : 1;
  static constexpr int key_pieces = keys / 8, width_pieces = Width / 8;
  struct Stage {
    Slice<Stored::along_k, keys, Width> k, v;
  };
  struct Shared {
    Slice<Stored::along_k, rows, Width> q, dy;
    Stage stage[stages];
  };
  AttentionInputs inputs;
  bf16* dq;
  const AttentionTile* tiles;

  static device::Grid grid(std::size_t tiles, int heads) { return {static_cast<int>(tiles), heads, 1}; }

  TEMPER_DEVICE void operator()(device::Block<AttentionQueryGradient>& block) const {
    const AttentionTile tile = tiles[block.index().x];
    const int heads = inputs.heads, key_heads = inputs.key_heads;
    const int head = block.index().y, key_head = head / (heads / key_heads);
    const AlignedOperand of_q{inputs.q + Index{head} * Width, heads * Width};
    const AlignedOperand of_dy{inputs.dy + Index{head} * Width, heads * Width};
    const AlignedOperand of_k{inputs.k + Index{key_head} * Width, key_heads * Width},
        of_v{inputs.v + Index{key_head} * Width, key_heads * Width};
    const device::Warp warp = block.warp();
    const int first_row = block.warp_index() * 16, row0 = tile.row + first_row, lane = block.lane();
    const int last_key = device::smaller_of(tile.row + rows, tile.end);
    const int first_key = tile.begin + inputs.scope.tiles_before(tile, keys) * keys;
    const int steps = device::divide_up(last_key - first_key, keys);
    device::AsyncCopies copies(block);
    const auto fetch = [&](int step) {
      if (step < steps) {
        Stage& stage = block.shared.stage[step % stages];
        stage.k.template fetch<threads>(copies, block.thread(), of_k, first_key + step * keys, 0, last_key, Width);
        stage.v.template fetch<threads>(copies, block.thread(), of_v, first_key + step * keys, 0, last_key, Width);
      }
      copies.commit();
    };
    block.shared.q.template fetch<threads>(copies, block.thread(), of_q, tile.row, 0, tile.end, Width);
    block.shared.dy.template fetch<threads>(copies, block.thread(), of_dy, tile.row, 0, tile.end, Width);
    fetch(0);

    float lse[2] = {}, d[2] = {};
    TEMPER_UNROLL
    for (int r = 0; r < 2; ++r) {
      const int row = row0 + lane / 4 + 8 * r;
      if (row >= tile.end) continue;
      lse[r] = inputs.lse[Index{row} * heads + head];
      d[r] = inputs.d[Index{row} * heads + head];
    }
    device::Accumulator sum[std::size_t{width_pieces}] = {};
    for (int step = 0; step < steps; ++step) {
      copies.template wait<0>();
      block.sync();
      fetch(step + 1);
      const Stage& stage = block.shared.stage[step % stages];
      device::Accumulator score[std::size_t{key_pieces}] = {}, dp[std::size_t{key_pieces}] = {};
      TEMPER_UNROLL
      for (int c = 0; c < Width; c += 16) {
        const auto q = block.shared.q.sixteen_of_a(warp, first_row, c),
                   dy = block.shared.dy.sixteen_of_a(warp, first_row, c);
        const device::FragmentA of_query{{q.r[0], q.r[1], q.r[2], q.r[3]}},
            of_result{{dy.r[0], dy.r[1], dy.r[2], dy.r[3]}};
        TEMPER_UNROLL
        for (int j = 0; j < key_pieces; j += 2) {
          const auto k = stage.k.sixteen_of_b(warp, j * 8, c), v = stage.v.sixteen_of_b(warp, j * 8, c);
          mma_bf16(warp, score[j], of_query, {{k.r[0], k.r[1]}});
          mma_bf16(warp, score[j + 1], of_query, {{k.r[2], k.r[3]}});
          mma_bf16(warp, dp[j], of_result, {{v.r[0], v.r[1]}});
          mma_bf16(warp, dp[j + 1], of_result, {{v.r[2], v.r[3]}});
        }
      }
      const int key0 = first_key + step * keys;
      const bool hides = inputs.scope.hides(row0, key0, keys);
      TEMPER_UNROLL
      for (int j = 0; j < key_pieces; ++j) {
        TEMPER_UNROLL
        for (int i = 0; i < 4; ++i) {
          const int key = key0 + j * 8 + device::accumulator_column(lane, i);
          const bool hidden = hides && inputs.scope.hidden(row0 + device::accumulator_row(lane, i), key);
          dp[j].r[i] = inputs.of(score[j].r[i], dp[j].r[i], lse[i / 2], d[i / 2], hidden).ds;
        }
      }
      TEMPER_UNROLL
      for (int j = 0; j < key_pieces; j += 2) {
        const device::FragmentA of_ds = left_operand(dp[j], dp[j + 1]);
        TEMPER_UNROLL
        for (int c = 0; c < width_pieces; c += 2) {
          const auto k = stage.k.template sixteen_of_b<Stored::across_k>(warp, c * 8, j * 8);
          mma_bf16(warp, sum[c], of_ds, {{k.r[0], k.r[1]}});
          mma_bf16(warp, sum[c + 1], of_ds, {{k.r[2], k.r[3]}});
        }
      }
    }
    put_rows(warp, sum, inputs.scale, dq + Index{head} * Width, heads * Width, row0, tile.end);
  }
};

// A block takes a tile of keys and one head of theirs, and goes over the queries that see them, head by head. Scores
// are transposed: a warp has sixteen keys. Tiles are those of the queries, the last first, as early keys are seen by
// most. The sums of a wide head are too many for one warp: two share sixteen keys, each has half of the columns, of
// which it makes the scores' part, too; parts are exchanged and added.
template <int Width>
struct AttentionKeyGradient {
  static constexpr int sides = Width <= 128 ? 1 : 2, side_width = Width / sides;
  static constexpr int rows = attention_rows / sides, queries = 32 / sides, threads = 128, stages = 2;
  static constexpr int query_pieces = queries / 8, side_pieces = side_width / 8;
  struct Stage {
    Slice<Stored::along_k, queries, Width> q, dy;
    float lse[std::size_t{queries}], d[std::size_t{queries}];
  };
  // Of the two warps of sixteen keys: what each has of both scores.
  struct Parts {
    device::Vector<float, 4> of[std::size_t{query_pieces} * 2][threads];
  };
  struct Shared {
    Slice<Stored::along_k, rows, Width> k, v;
    Stage stage[stages];
    [[no_unique_address]] std::conditional_t<sides == 2, Parts, device::NoShared> parts;
  };
  AttentionInputs inputs;
  bf16* dk;
  bf16* dv;
  const AttentionTile* tiles;

  static device::Grid grid(std::size_t tiles, int key_heads) { return {static_cast<int>(tiles) * sides, key_heads, 1}; }

  TEMPER_DEVICE void operator()(device::Block<AttentionKeyGradient>& block) const {
    const int number = block.grid().x - 1 - block.index().x;
    AttentionTile tile = tiles[number / sides];
    tile.row += number % sides * rows;
    if (tile.row >= tile.end) return;
    const int heads = inputs.heads, key_heads = inputs.key_heads, group = heads / key_heads;
    const int key_head = block.index().y;
    const AlignedOperand of_k{inputs.k + Index{key_head} * Width, key_heads * Width},
        of_v{inputs.v + Index{key_head} * Width, key_heads * Width};
    const device::Warp warp = block.warp();
    const int first_row = block.warp_index() / sides * 16, row0 = tile.row + first_row, lane = block.lane();
    const int side0 = block.warp_index() % sides * side_width;
    const int window = inputs.scope.window, last_key = tile.row + rows - 1;
    const int last_query = window > 0 && window < tile.end - last_key ? last_key + window : tile.end;
    const int steps_of_head = device::divide_up(last_query - tile.row, queries), steps = group * steps_of_head;
    device::AsyncCopies copies(block);
    const auto fetch = [&](int step) {
      if (step < steps) {
        Stage& stage = block.shared.stage[step % stages];
        const int head = key_head * group + step / steps_of_head, query = tile.row + step % steps_of_head * queries;
        const AlignedOperand of_q{inputs.q + Index{head} * Width, heads * Width},
            of_dy{inputs.dy + Index{head} * Width, heads * Width};
        stage.q.template fetch<threads>(copies, block.thread(), of_q, query, 0, last_query, Width);
        stage.dy.template fetch<threads>(copies, block.thread(), of_dy, query, 0, last_query, Width);
        if (block.thread() < 2 * queries) {
          const int row = query + block.thread() % queries, valid = row < last_query ? 4 : 0;
          const Index at = valid > 0 ? Index{row} * heads + head : 0;
          const bool of_lse = block.thread() < queries;
          copies.template copy<4>((of_lse ? stage.lse : stage.d) + block.thread() % queries,
                                  (of_lse ? inputs.lse : inputs.d) + at, valid);
        }
      }
      copies.commit();
    };
    block.shared.k.template fetch<threads>(copies, block.thread(), of_k, tile.row, 0, tile.end, Width);
    block.shared.v.template fetch<threads>(copies, block.thread(), of_v, tile.row, 0, tile.end, Width);
    fetch(0);

    device::Accumulator sum_k[std::size_t{side_pieces}] = {}, sum_v[std::size_t{side_pieces}] = {};
    for (int step = 0; step < steps; ++step) {
      copies.template wait<0>();
      block.sync();
      fetch(step + 1);
      const Stage& stage = block.shared.stage[step % stages];
      device::Accumulator score[std::size_t{query_pieces}] = {}, dp[std::size_t{query_pieces}] = {};
      TEMPER_UNROLL
      for (int c = 0; c < side_width; c += 16) {
        const auto k = block.shared.k.sixteen_of_a(warp, first_row, side0 + c),
                   v = block.shared.v.sixteen_of_a(warp, first_row, side0 + c);
        const device::FragmentA of_key{{k.r[0], k.r[1], k.r[2], k.r[3]}}, of_value{{v.r[0], v.r[1], v.r[2], v.r[3]}};
        TEMPER_UNROLL
        for (int j = 0; j < query_pieces; j += 2) {
          const auto q = stage.q.sixteen_of_b(warp, j * 8, side0 + c),
                     dy = stage.dy.sixteen_of_b(warp, j * 8, side0 + c);
          mma_bf16(warp, score[j], of_key, {{q.r[0], q.r[1]}});
          mma_bf16(warp, score[j + 1], of_key, {{q.r[2], q.r[3]}});
          mma_bf16(warp, dp[j], of_value, {{dy.r[0], dy.r[1]}});
          mma_bf16(warp, dp[j + 1], of_value, {{dy.r[2], dy.r[3]}});
        }
      }
      if constexpr (sides == 2) add_other_side(block, score, dp);
      const int query0 = tile.row + step % steps_of_head * queries;
      const bool hides = query0 < row0 + 15 || (window > 0 && query0 + queries - row0 > window);
      TEMPER_UNROLL
      for (int j = 0; j < query_pieces; ++j) {
        const auto lse = device::load<2>(stage.lse + j * 8 + device::accumulator_column(lane, 0));
        const auto d = device::load<2>(stage.d + j * 8 + device::accumulator_column(lane, 0));
        TEMPER_UNROLL
        for (int i = 0; i < 4; ++i) {
          const int query = query0 + j * 8 + device::accumulator_column(lane, i);
          const bool hidden = hides && inputs.scope.hidden(query, row0 + device::accumulator_row(lane, i));
          const auto one = inputs.of(score[j].r[i], dp[j].r[i], lse[i % 2], d[i % 2], hidden);
          score[j].r[i] = one.p;
          dp[j].r[i] = one.ds;
        }
      }
      TEMPER_UNROLL
      for (int j = 0; j < query_pieces; j += 2) {
        const device::FragmentA of_p = left_operand(score[j], score[j + 1]), of_ds = left_operand(dp[j], dp[j + 1]);
        TEMPER_UNROLL
        for (int c = 0; c < side_pieces; c += 2) {
          const auto q = stage.q.template sixteen_of_b<Stored::across_k>(warp, side0 + c * 8, j * 8);
          const auto dy = stage.dy.template sixteen_of_b<Stored::across_k>(warp, side0 + c * 8, j * 8);
          mma_bf16(warp, sum_k[c], of_ds, {{q.r[0], q.r[1]}});
          mma_bf16(warp, sum_k[c + 1], of_ds, {{q.r[2], q.r[3]}});
          mma_bf16(warp, sum_v[c], of_p, {{dy.r[0], dy.r[1]}});
          mma_bf16(warp, sum_v[c + 1], of_p, {{dy.r[2], dy.r[3]}});
        }
      }
    }
    const Index column = Index{key_head} * Width + side0;
    put_rows(warp, sum_k, inputs.scale, dk + column, key_heads * Width, row0, tile.end);
    put_rows(warp, sum_v, 1.0f, dv + column, key_heads * Width, row0, tile.end);
  }

 private:
  // The other warp's part of the same scores; the sum of two has the same bits in both. Parts are written again only
  // after the barrier of the next step.
  using Scores = device::Accumulator[std::size_t{query_pieces}];
  TEMPER_DEVICE static void add_other_side(device::Block<AttentionKeyGradient>& block, Scores& score, Scores& dp) {
    auto& parts = block.shared.parts.of;
    const int thread = block.thread(), other = thread ^ device::warp_size;
    TEMPER_UNROLL
    for (int j = 0; j < query_pieces; ++j) {
      store_part(parts[2 * j][thread], score[j]);
      store_part(parts[2 * j + 1][thread], dp[j]);
    }
    block.sync();
    TEMPER_UNROLL
    for (int j = 0; j < query_pieces; ++j) {
      add_part(score[j], parts[2 * j][other]);
      add_part(dp[j], parts[2 * j + 1][other]);
    }
  }
  TEMPER_DEVICE static void store_part(device::Vector<float, 4>& to, const device::Accumulator& sum) {
    device::store(to.element, device::Vector<float, 4>{{sum.r[0], sum.r[1], sum.r[2], sum.r[3]}});
  }
  TEMPER_DEVICE static void add_part(device::Accumulator& sum, const device::Vector<float, 4>& from) {
    const auto part = device::load<4>(from.element);
    TEMPER_UNROLL
    for (int i = 0; i < 4; ++i) sum.r[i] += part[i];
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
