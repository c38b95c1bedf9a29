// SPDX-License-Identifier: MIT
// The inner loop of products of few rows with coded weights: what tile.hpp computes, element by element the same chain,
// with each weight decoded in the register in which it is multiplied. There is no panel: for few rows writing and
// reading it would take longer than the arithmetic. Rows of 4-bit weights must begin with a block of 64.
#pragma once
#include "temper/backend/cpu/decode.hpp"
#include "temper/backend/cpu/tile.hpp"

namespace temper {

// How far from byte 'at' of a row what is wanted soon lies: in the same row, or at the beginning of the one that is
// 'rows' below. Rows are too many streams for the hardware to foresee.
constexpr Index bytes_ahead(Index at, Index row_bytes, Index rows) {
  constexpr Index distance = 512;
  return distance + (at + distance < row_bytes ? 0 : (rows - 1) * row_bytes);
}

template <Index Rows, Index Vectors>
struct CodedSums {
  Floats sum[std::size_t{Rows}][std::size_t{Vectors}];

  CodedSums(const float* c, Index c_stride, Begin begin) {
    for (Index r = 0; r < Rows; ++r)
      for (Index v = 0; v < Vectors; ++v)
        sum[r][v] = begin == Begin::zero ? Floats{} : load(c + r * c_stride + v * lanes);
  }
  // One k: weight(v) gives what it has for vector v, a the factors of the rows.
  template <class Weight>
  [[gnu::always_inline]] void add(const float* a, Weight&& weight) {
#pragma GCC unroll 4
    for (Index v = 0; v < Vectors; ++v) {
      const Floats w = weight(v);
#pragma GCC unroll 4
      for (Index r = 0; r < Rows; ++r) sum[r][v] = fma(broadcast(a[r]), w, sum[r][v]);
    }
  }
  void store_to(float* c, Index c_stride) const {
    for (Index r = 0; r < Rows; ++r)
      for (Index v = 0; v < Vectors; ++v) store(c + r * c_stride + v * lanes, sum[r][v]);
  }
};

// C [Rows, Vectors * lanes] (+)= A times rows [first, first + count) of the matrix; a[k * Rows + r]. Rows that do not
// exist repeat the last.
template <Index Rows, Index Vectors>
void multiply_four_bits(const CodedRows& w, Index first, Index count, const float* a, float* c, Index c_stride,
                        Begin begin) {
  constexpr Index width = Vectors * lanes, at_once = 8 * lanes;
  const Lookup lookup(table_of(w.codes.coding));
  const std::uint8_t* row[std::size_t{Vectors}][lanes];
  Index scale_at[std::size_t{Vectors}][lanes];
  for (Index v = 0; v < Vectors; ++v)
    for (Index i = 0; i < lanes; ++i) {
      const Index start = (first + std::min(v * lanes + i, count - 1)) * w.cols;
      row[v][i] = w.data + start / 2, scale_at[v][i] = start / weight_block;
    }
  CodedSums<Rows, Vectors> sums(c, c_stride, begin);
  for (Index chunk = 0; chunk < w.cols; chunk += lanes * weight_block) {
    const Index end = std::min(w.cols, chunk + lanes * weight_block);
    Floats scale[std::size_t{Vectors}][lanes];
    for (Index v = 0; v < Vectors; ++v) {
      load_scales(w.codes.scales, scale_at[v], (end - chunk) / weight_block, scale[v]);
      for (Index i = 0; i < lanes; ++i) scale_at[v][i] += lanes;
    }
    for (Index k = chunk; k < end; k += at_once) {
      Floats words[std::size_t{Vectors}][lanes];
      const Index ahead = bytes_ahead(k / 2, w.cols / 2, width);
      for (Index v = 0; v < Vectors; ++v) load_words(row[v], k / 2, w.cols / 2, ahead, words[v]);
      for (Index j = 0; j < std::min(lanes, (end - k) / 8); ++j, a += 8 * Rows) {
        const Index block = (k + 8 * j - chunk) / weight_block;
#pragma GCC unroll 8
        for (Index code = 0; code < 8; ++code)
          sums.add(a + code * Rows, [&](Index v) {
            return lookup(std::bit_cast<Words>(words[v][j]) >> shift_of(code)) * scale[v][block];
          });
      }
    }
  }
  sums.store_to(c, c_stride);
}

template <Index Rows, Index Vectors>
void multiply_bytes(const CodedRows& w, Index first, Index count, const float* a, float* c, Index c_stride,
                    Begin begin) {
  constexpr Index width = Vectors * lanes, at_once = 4 * lanes;
  const std::uint8_t* row[std::size_t{Vectors}][lanes];
  Floats scale[std::size_t{Vectors}];
  for (Index v = 0; v < Vectors; ++v)
    for (Index i = 0; i < lanes; ++i) {
      const Index r = first + std::min(v * lanes + i, count - 1);
      row[v][i] = w.data + r * w.cols, scale[v][i] = w.codes.scales(r);
    }
  CodedSums<Rows, Vectors> sums(c, c_stride, begin);
  for (Index k = 0; k < w.cols; k += at_once) {
    Floats words[std::size_t{Vectors}][lanes];
    const Index end = std::min(w.cols, k + at_once), ahead = bytes_ahead(k, w.cols, width);
    for (Index v = 0; v < Vectors; ++v) load_words(row[v], k, w.cols, ahead, words[v]);
    for (Index at = k; at < end; at += 4) {
      const auto add = [&](Index byte) {
        sums.add(a + byte * Rows, [&](Index v) {
          const Words word = std::bit_cast<Words>(words[v][(at - k) / 4]);
          const Integers code = std::bit_cast<Integers>(word << static_cast<std::uint32_t>(24 - 8 * byte)) >> 24;
          return __builtin_convertvector(code, Floats) * scale[v] * (1.0f / 127);
        });
      };
      const Index bytes = std::min(Index{4}, end - at);
      if (bytes == 4) {
#pragma GCC unroll 4
        for (Index byte = 0; byte < 4; ++byte) add(byte);
      } else {
        for (Index byte = 0; byte < bytes; ++byte) add(byte);
      }
      a += 4 * Rows;
    }
  }
  sums.store_to(c, c_stride);
}

using CodedTile = void (*)(const CodedRows& w, Index first, Index count, const float* a, float* c, Index c_stride,
                           Begin begin);

inline constexpr Index coded_rows = 4;  // at most

// How many vectors of columns fill the registers with sums, and leave some for what is decoded.
constexpr Index coded_vectors(Index rows) { return 4 * rows <= tile_rows + 2 ? 4 : 2; }

inline CodedTile coded_tile(Coding coding, Index rows, Index vectors) {
  const auto of_rows = [&]<Index Rows>() -> CodedTile {
    constexpr Index most = coded_vectors(Rows);
    if (coding == Coding::int8)
      return vectors == 1   ? &multiply_bytes<Rows, 1>
             : vectors == 2 ? &multiply_bytes<Rows, 2>
                            : &multiply_bytes<Rows, most>;
    return vectors == 1   ? &multiply_four_bits<Rows, 1>
           : vectors == 2 ? &multiply_four_bits<Rows, 2>
                          : &multiply_four_bits<Rows, most>;
  };
  switch (rows) {
    case 1:
      return of_rows.template operator()<1>();
    case 2:
      return of_rows.template operator()<2>();
    case 3:
      return of_rows.template operator()<3>();
    default:
      return of_rows.template operator()<4>();
  }
}

}  // namespace temper
