// SPDX-License-Identifier: MIT
// What attention's kernels share: tiles of queries and keys, what a query sees, and how a warp's sixteen rows go over
// tiles of keys (Milakov and Gimelshein 2018; Dao 2023), in powers of two:
//   m = largest s of the tile          p = 2^(s - m)          l = sum of p          f = p v
//   M' = larger of M and m             L' = L 2^(M - M') + l 2^(m - M')             Y' = Y 2^(M - M') + f 2^(m - M')
// A tile's m, l and f know nothing of other tiles, and tiles are joined in the order of keys. So it does not matter who
// makes them, or when: attention.cuh joins them as it goes, attention_decode.cuh makes all at once, to the same bits.
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
    return key + keys > row || (window > 0 && row + 15 - key >= window);
  }
  // A later key is, without a sign, too far away for any window.
  TEMPER_BOTH bool hidden(int row, int key) const {
    return static_cast<unsigned>(row - key) >= (window > 0 ? static_cast<unsigned>(window) : 0x80000000u);
  }
  TEMPER_DEVICE float bent(float score) const { return device::hyperbolic_tangent(device::quotient(score, cap)); }
};

// Of a row, or of a lane's part of one: m, and the factors that bring what was and what comes to the new M.
struct AttentionJoin {
  float before, now;
  // 'largest' becomes the larger of it and of_tile. A base of 0 keeps infinities from meeting where nothing is seen
  // yet.
  TEMPER_DEVICE AttentionJoin(float& largest, float of_tile) {
    const float both = device::larger(largest, of_tile), base = both == -device::infinity() ? 0.0f : both;
    before = device::power_of_two(largest - base);
    now = device::power_of_two(of_tile - base);
    largest = both;
  }
  TEMPER_DEVICE float operator()(float total, float of_tile) const {
    return device::fused_multiply_add(total, before, device::product(of_tile, now));
  }
};
// A row's y, of what has been summed, and its lse. Adding 0 makes 0 of -0, which a tile that is not seen does too.
TEMPER_DEVICE float attention_result(float total, float inverse_sum) {
  return device::fused_multiply_add(total, inverse_sum, 0.0f);
}
TEMPER_DEVICE float attention_lse(float largest, float sum) {
  return (largest + device::logarithm_of_two(sum)) * 0.693147180559945309417f;
}

// The lane's row r, of two, of a warp's sums, each as 'of' makes it, in bf16 to the row at 'to', if there is one. Lanes
// exchange half of what they have, so that four of them write a whole sector.
template <class Sums, class Of>
TEMPER_DEVICE void put_row(const device::Warp& warp, const Sums& sum, int r, bf16* to, bool there, const Of& of) {
  const int lane = warp.lane(), odd = lane % 2;
  TEMPER_UNROLL
  for (int c = 0; c < int{sizeof(Sums) / sizeof(sum[0])}; c += 2) {
    const float *one = sum[c].r + std::ptrdiff_t{2} * r, *other = sum[c + 1].r + std::ptrdiff_t{2} * r;
    const std::uint32_t pair[2] = {device::bf16_pair(of(one[0]), of(one[1])),
                                   device::bf16_pair(of(other[0]), of(other[1]))};
    const std::uint32_t own = odd ? pair[1] : pair[0], got = warp.shuffle_xor(odd ? pair[0] : pair[1], 1);
    if (there)
      device::store(to + Index{c + odd} * 8 + Index{lane} % 4 / 2 * 4,
                    device::four_of(odd ? got : own, odd ? own : got));
  }
}

// How many keys a tile has; wide heads have fewer, so that two tiles fit on every device.
template <int Width>
constexpr int attention_keys = Width <= 128 ? 64 : 32;

// Sixteen rows of a warp over tiles of keys. A lane has two of them, lane / 4 and eight below, and of these a quarter:
// what it sums of p is completed at the end.
template <int Width>
struct AttentionRows {
  static constexpr int keys = attention_keys<Width>, key_pieces = keys / 8, width_pieces = Width / 8;
  static_assert(Width % 16 == 0);
  using Keys = Slice<Stored::along_k, keys, Width>;
  using Values = Slice<Stored::across_k, Width, keys>;

  device::Accumulator total[std::size_t{width_pieces}] = {};
  float largest[2] = {-device::infinity(), -device::infinity()}, sum[2] = {};

  // Of sixteen rows of q from first_row on, where the lane's two stand at place[0, 1] and the tile's keys from key0 on.
  // 'hides': whether a row may not see a key. values_here() is called before values are read.
  template <class Queries, class ValuesHere>
  TEMPER_DEVICE void attend(const device::Warp& warp, const Queries& q, int first_row, const Keys& k, const Values& v,
                            const AttentionScope& scope, float scale, const int (&place)[2], int key0, bool hides,
                            const ValuesHere& values_here) {
    device::Accumulator score[std::size_t{key_pieces}] = {};
    TEMPER_UNROLL
    for (int c = 0; c < Width / 16; ++c) {
      // Read again for each tile of keys: in registers they would leave too few for the sums of wide heads.
      const auto sixteen = q.sixteen_of_a(warp, first_row, c * 16);
      const device::FragmentA of_query{{sixteen.r[0], sixteen.r[1], sixteen.r[2], sixteen.r[3]}};
      TEMPER_UNROLL
      for (int j = 0; j < key_pieces; j += 2) {
        const auto four = k.sixteen_of_b(warp, j * 8, c * 16);
        mma_bf16(warp, score[j], of_query, {{four.r[0], four.r[1]}});
        mma_bf16(warp, score[j + 1], of_query, {{four.r[2], four.r[3]}});
      }
    }

    // What a row does not see, which only tiles at the ends have (past the last key is past each row), is hidden.
    const float to_power_of_two = (scope.cap > 0 ? 1.0f : scale) * 1.44269504088896340736f;
    if (scope.cap > 0) {
      TEMPER_UNROLL
      for (int j = 0; j < key_pieces; ++j) {
        TEMPER_UNROLL
        for (int i = 0; i < 4; ++i) score[j].r[i] = scope.cap * scope.bent(score[j].r[i] * scale);
      }
    }
    float now[2] = {-device::infinity(), -device::infinity()}, of_tile[2] = {};
    TEMPER_UNROLL
    for (int j = 0; j < key_pieces; ++j) {
      TEMPER_UNROLL
      for (int i = 0; i < 4; ++i) {
        const int key = key0 + j * 8 + device::accumulator_column(warp.lane(), i);
        const bool hidden = hides && scope.hidden(place[i / 2], key);
        score[j].r[i] = hidden ? -device::infinity() : device::product(score[j].r[i], to_power_of_two);
        now[i / 2] = device::larger(now[i / 2], score[j].r[i]);
      }
    }
    float base[2];
    TEMPER_UNROLL
    for (int r = 0; r < 2; ++r) {
      now[r] = device::larger(now[r], warp.shuffle_xor(now[r], 1));
      now[r] = device::larger(now[r], warp.shuffle_xor(now[r], 2));
      base[r] = now[r] == -device::infinity() ? 0.0f : now[r];
    }
    // Two neighbouring pieces of p are, as they lie in registers, the left operand of 16 keys.
    device::FragmentA of_p[std::size_t{key_pieces / 2}];
    TEMPER_UNROLL
    for (int j = 0; j < key_pieces; ++j) {
      float* p = score[j].r;
      TEMPER_UNROLL
      for (int i = 0; i < 4; ++i) {
        p[i] = device::power_of_two(p[i] - base[i / 2]);
        of_tile[i / 2] = device::sum(of_tile[i / 2], p[i]);
      }
      of_p[j / 2].r[j % 2 * 2] = device::bf16_pair(p[0], p[1]);
      of_p[j / 2].r[j % 2 * 2 + 1] = device::bf16_pair(p[2], p[3]);
    }
    const AttentionJoin join[2] = {{largest[0], now[0]}, {largest[1], now[1]}};
    TEMPER_UNROLL
    for (int r = 0; r < 2; ++r) sum[r] = join[r](sum[r], of_tile[r]);

    values_here();
    TEMPER_UNROLL
    for (int c = 0; c < width_pieces; c += 2) {
      device::Accumulator value[2] = {};
      TEMPER_UNROLL
      for (int j = 0; j < key_pieces / 2; ++j) {
        const auto four = v.sixteen_of_b(warp, c * 8, j * 16);
        mma_bf16(warp, value[0], of_p[j], {{four.r[0], four.r[1]}});
        mma_bf16(warp, value[1], of_p[j], {{four.r[2], four.r[3]}});
      }
      TEMPER_UNROLL
      for (int e = 0; e < 2; ++e) {
        TEMPER_UNROLL
        for (int i = 0; i < 4; ++i) total[c + e].r[i] = join[i / 2](total[c + e].r[i], value[e].r[i]);
      }
    }
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
