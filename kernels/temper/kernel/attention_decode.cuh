// SPDX-License-Identifier: MIT
// Attention of the newest tokens of many sequences over the keys and values that a cache holds of them, in two
// launches:
//   AttentionDecode      a warp a tile of keys: its m, l and f, for up to sixteen rows, the heads that share the keys
//   AttentionDecodeJoin  a warp a row: the tiles joined, in the order of keys
// q, y [S Q, H C], Q tokens of each of S sequences; lse [S Q, H]. Tiles and their joining are attention_tile.cuh's: a
// row has the bits that AttentionForward gives it, whatever else is in the batch. A token before the first has y = 0.
#pragma once
#include "temper/kernel/attention_tile.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// k, v [rows, K C]. Key i of a sequence s is in row pages[s, i / P] + i % P, with pages of P = 2^page_bits rows; as it
// stands here, a sequence has one page, which begins where it does.
struct KeyCache {
  const bf16* k;
  const bf16* v;
  const std::int32_t* pages;    // [S, pages_of_sequence]: the first row of each
  const std::int32_t* lengths;  // [S]: the keys of a sequence, those of its newest tokens among them
  int pages_of_sequence = 1;
  int page_bits = 31;

  TEMPER_DEVICE std::int32_t row(int sequence, int key) const {
    const std::int32_t first = pages[Index{sequence} * pages_of_sequence + (key >> page_bits)];
    return first + (key & static_cast<int>((1u << page_bits) - 1));
  }
};

struct DecodeShape {
  int sequences, queries;  // Q
  int heads, key_heads;
  float scale;
  AttentionScope scope{};

  TEMPER_BOTH int group() const { return heads / key_heads; }
  TEMPER_BOTH int rows() const { return queries * group(); }  // of a sequence and a key head

  // How many whole tiles come before all that the newest tokens see, and how many are left at most.
  TEMPER_BOTH int tiles_before(int length, int keys) const {
    return scope.tiles_before({0, length, length - queries}, keys);
  }
  TEMPER_BOTH int tiles(int longest, int keys) const {
    const int all = device::divide_up(longest, keys);
    if (scope.window <= 0 || scope.window >= longest) return all;
    return device::smaller_of(all, (scope.window + queries + 2 * keys - 3) / keys);
  }
};

// What a tile leaves of a row: f, the four lanes' parts of l, m.
template <int Width>
struct DecodePart {
  static constexpr int sums = Width, largest = Width + 4, floats = Width + 8;
  // 'tiles' is what DecodeShape::tiles says of the longest sequence.
  static std::size_t count(const DecodeShape& shape, int tiles) {
    return static_cast<std::size_t>(shape.sequences) * static_cast<std::size_t>(shape.key_heads) *
           static_cast<std::size_t>(tiles) * static_cast<std::size_t>(shape.rows()) * std::size_t{floats};
  }
  TEMPER_DEVICE static Index at(const DecodeShape& shape, int tiles, int sequence, int key_head, int tile, int row) {
    return (((Index{sequence} * shape.key_heads + key_head) * tiles + tile) * shape.rows() + row) * floats;
  }
};

template <int Width>
struct AttentionDecode {
  using Rows = AttentionRows<Width>;
  using Part = DecodePart<Width>;
  static constexpr int keys = Rows::keys, threads = device::warp_size, rows = 16;
  struct Shared {
    typename Rows::Keys k;
    typename Rows::Values v;
    std::int32_t row[std::size_t{keys}];  // of the cache; -1: none
  };
  const bf16* q;
  KeyCache cache;
  float* parts;
  DecodeShape shape;

  static device::Grid grid(const DecodeShape& shape, int tiles) {
    return {tiles, shape.key_heads * device::divide_up(shape.rows(), rows), shape.sequences};
  }

  // Sixteen rows as mma takes them; those that there are not are zero.
  struct Queries {
    device::FourTiles of[std::size_t{Width / 16}];
    TEMPER_DEVICE device::FourTiles sixteen_of_a(const device::Warp&, int, int k) const { return of[k / 16]; }
  };

  TEMPER_DEVICE void operator()(device::Block<AttentionDecode>& block) const {
    const int sequence = block.index().z, length = cache.lengths[sequence];
    const int key0 = (shape.tiles_before(length, keys) + block.index().x) * keys;
    if (key0 >= length) return;
    const int row_tiles = device::divide_up(shape.rows(), rows);
    const int key_head = block.index().y / row_tiles, row0 = block.index().y % row_tiles * rows, lane = block.lane();

    for (int i = lane; i < keys; i += threads)
      block.shared.row[i] = key0 + i < length ? cache.row(sequence, key0 + i) : -1;
    block.sync();
    device::AsyncCopies copies(block);
    fetch(copies, block.shared.row, lane, block.shared.k.tile, cache.k + Index{key_head} * Width);
    fetch(copies, block.shared.row, lane, block.shared.v.tile, cache.v + Index{key_head} * Width);

    Queries queries;
    int place[2];
    TEMPER_UNROLL
    for (int r = 0; r < 2; ++r) {
      const int row = row0 + lane / 4 + 8 * r, token = row / shape.group();
      const int head = key_head * shape.group() + row % shape.group();
      const bf16* from = q + ((Index{sequence} * shape.queries + token) * shape.heads + head) * Width;
      place[r] = length - shape.queries + token;
      TEMPER_UNROLL
      for (int c = 0; c < Width / 8; ++c)
        queries.of[c / 2].r[c % 2 * 2 + r] =
            row < shape.rows() ? device::pair_of(device::load<2>(from + Index{c} * 8 + Index{lane} % 4 * 2)) : 0u;
    }
    copies.template wait<1>();
    block.sync();
    Rows of_rows;
    of_rows.attend(block.warp(), queries, 0, block.shared.k, block.shared.v, shape.scope, shape.scale, place, key0,
                   true, [&] {
                     copies.template wait<0>();
                     block.sync();
                   });

    TEMPER_UNROLL
    for (int r = 0; r < 2; ++r) {
      const int row = row0 + lane / 4 + 8 * r;
      if (row >= shape.rows()) continue;
      float* to = parts + Part::at(shape, block.grid().x, sequence, key_head, block.index().x, row);
      TEMPER_UNROLL
      for (int c = 0; c < Width / 8; ++c) {
        const float* pair = of_rows.total[c].r + std::ptrdiff_t{2} * r;
        device::store(to + Index{c} * 8 + Index{lane} % 4 * 2, device::Vector<float, 2>{{pair[0], pair[1]}});
      }
      to[Part::sums + lane % 4] = of_rows.sum[r];
      if (lane % 4 == 0) to[Part::largest] = of_rows.largest[r];
    }
  }

 private:
  // What there is not becomes zero.
  template <class Tile>
  TEMPER_DEVICE void fetch(device::AsyncCopies& copies, const std::int32_t (&row)[std::size_t{keys}], int lane,
                           Tile& tile, const bf16* from) const {
    const Index stride = Index{shape.key_heads} * Width;
    TEMPER_UNROLL
    for (int i = lane; i < Tile::rows * Tile::pieces; i += threads) {
      const int r = i / Tile::pieces, p = i % Tile::pieces;
      const bool none = row[r] < 0;
      copies.copy(tile.piece(r, p), none ? from : from + Index{row[r]} * stride + p * Tile::width, none ? 0 : 16);
    }
    copies.commit();
  }
};

// Of some widths not all lanes have a part, of 256 each has two.
template <int Width>
struct AttentionDecodeJoin {
  using Part = DecodePart<Width>;
  using Shared = device::NoShared;
  static constexpr int threads = 128, warps = threads / device::warp_size, ahead = 4;
  static constexpr int pieces = (Width + 127) / 128;
  KeyCache cache;
  const float* parts;
  bf16* y;
  float* lse;
  DecodeShape shape;
  int tiles;

  static device::Grid grid(const DecodeShape& shape) {
    return {device::divide_up(shape.sequences * shape.queries * shape.heads, warps), 1, 1};
  }

  TEMPER_DEVICE void operator()(device::Block<AttentionDecodeJoin>& block) const {
    const int at = block.index().x * warps + block.warp_index();
    if (at >= shape.sequences * shape.queries * shape.heads) return;
    const int row_of_y = at / shape.heads, head = at % shape.heads, group = shape.group();
    const int sequence = row_of_y / shape.queries, row = row_of_y % shape.queries * group + head % group;
    const int length = cache.lengths[sequence], keys = attention_keys<Width>;
    const int used = device::divide_up(length, keys) - shape.tiles_before(length, keys);
    const float* from = parts + Part::at(shape, tiles, sequence, head / group, 0, row);
    const Index step = Index{shape.rows()} * Part::floats;

    device::Vector<float, 4> total[std::size_t{pieces}] = {}, sum = {};
    float largest = -device::infinity();
    for (int tile = 0; tile < used; tile += ahead) {
      device::Vector<float, 4> f[std::size_t{ahead}][std::size_t{pieces}] = {}, l[std::size_t{ahead}] = {};
      float m[std::size_t{ahead}] = {};
      TEMPER_UNROLL
      for (int a = 0; a < ahead; ++a, from += step) {
        if (tile + a >= used) continue;
        TEMPER_UNROLL
        for (int p = 0; p < pieces; ++p)
          if (has(block.lane(), p)) f[a][p] = device::load<4>(from + column(block.lane(), p));
        l[a] = device::load<4>(from + Part::sums);
        m[a] = from[Part::largest];
      }
      TEMPER_UNROLL
      for (int a = 0; a < ahead; ++a) {
        if (tile + a >= used) continue;
        const AttentionJoin join(largest, m[a]);
        TEMPER_UNROLL
        for (int e = 0; e < 4; ++e) {
          sum[e] = join(sum[e], l[a][e]);
          TEMPER_UNROLL
          for (int p = 0; p < pieces; ++p) total[p][e] = join(total[p][e], f[a][p][e]);
        }
      }
    }
    const float of_all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    const float inverse = of_all > 0 ? device::divide(1.0f, of_all) : 0.0f;
    TEMPER_UNROLL
    for (int p = 0; p < pieces; ++p) {
      if (!has(block.lane(), p)) continue;
      device::Vector<bf16, 4> result;
      TEMPER_UNROLL
      for (int e = 0; e < 4; ++e) result[e] = device::narrow<bf16>(attention_result(total[p][e], inverse));
      device::store(y + Index{at} * Width + column(block.lane(), p), result);
    }
    if (block.lane() == 0) lse[at] = attention_lse(largest, of_all);
  }

 private:
  TEMPER_DEVICE static int column(int lane, int p) { return (p * device::warp_size + lane) * 4; }
  TEMPER_DEVICE static bool has(int lane, int p) { return column(lane, p) < Width; }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
