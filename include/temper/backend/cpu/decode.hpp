// SPDX-License-Identifier: MIT
// Coded weights into the panels of pack.hpp: what a dense matrix of the decoded floats would be packed to, bit for bit,
// without that matrix. Where a row begins with a block of 64, the codes of 'lanes' rows are transposed as words, eight
// codes each, and looked up 'lanes' at a time; other shapes are decoded a stretch at a time and packed as floats.
#pragma once
#include "temper/backend/cpu/vector.hpp"
#include "temper/storage/quantize.hpp"

namespace temper {

using Integers __attribute__((vector_size(lanes * sizeof(float)))) = std::int32_t;
using LongWords __attribute__((vector_size(lanes * sizeof(float)))) = std::uint64_t;

// table[index mod 16] in every lane.
class Lookup {
 public:
  explicit Lookup(const FourBitTable& table) : table_(table.data()) {
#if defined(__AVX512F__)
    low_ = load(table_);
#elif defined(__AVX2__)
    low_ = load(table_), high_ = load(table_ + 8);
#endif
  }
  [[gnu::always_inline]] Floats operator()(Words index) const {
#if defined(__AVX512F__)
    return _mm512_permutexvar_ps(std::bit_cast<__m512i>(index), low_);
#elif defined(__AVX2__)
    const __m256i at = std::bit_cast<__m256i>(index);
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low_, at), _mm256_permutevar8x32_ps(high_, at),
                            _mm256_castsi256_ps(_mm256_slli_epi32(at, 28)));
#else
    Floats x;
    for (Index i = 0; i < lanes; ++i) x[i] = table_[index[i] & 15u];
    return x;
#endif
  }

 private:
  const float* table_;
  [[maybe_unused]] Floats low_{}, high_{};
};

// Which code of a word: the upper half of a byte comes first.
constexpr std::uint32_t shift_of(Index code) { return static_cast<std::uint32_t>(8 * (code / 2) + 4 * (1 - code % 2)); }

// A word of each of 'lanes' rows, from byte 'at' of these on, transposed; bytes past 'end' count as zero.
[[gnu::always_inline]] inline void load_words(const std::uint8_t* const (&row)[lanes], Index at, Index end, Index ahead,
                                              Floats (&words)[lanes]) {
  constexpr Index bytes = lanes * Index{sizeof(float)};
  if (at + bytes <= end) {
#pragma GCC unroll 16
    for (Index i = 0; i < lanes; ++i) {
      std::memcpy(&words[i], row[i] + at, sizeof(words[i]));
      prefetch(row[i] + at, ahead);
    }
  } else {
    for (Index i = 0; i < lanes; ++i) {
      words[i] = Floats{};
      std::memcpy(&words[i], row[i] + at, static_cast<std::size_t>(end - at));
    }
  }
  transpose(words);
}

// Scales of 'lanes' rows, whose first blocks are at[i]: to[b] lane i is that of block b of row i. 'count' blocks of
// each there are; of those behind them, up to 'lanes', anything.
[[gnu::always_inline]] inline void load_scales(const Scales& scales, const Index (&at)[lanes], Index count,
                                               Floats (&to)[lanes]) {
  float rows[lanes][lanes] = {};
  if (count >= lanes)
    for (Index i = 0; i < lanes; ++i) scales.read(at[i], lanes, rows[i]);
  else
    for (Index i = 0; i < lanes; ++i) scales.read(at[i], count, rows[i]);
  for (Index i = 0; i < lanes; ++i) to[i] = load(rows[i]);
  transpose(to);
}

// Rows [first, first + count) of the matrix become columns of a panel, elements [begin, begin + depth) of each go down.
// Rows that do not exist repeat the last.
inline void decode_columns(const CodedRows& w, Index first, Index count, Index begin, Index depth, float* panel,
                           Index width) {
  const Lookup lookup(table_of(w.codes.coding));
  const std::uint8_t* row[lanes];
  Index scale_at[lanes];
  for (Index i = 0; i < lanes; ++i) {
    const Index start = (first + std::min(i, count - 1)) * w.cols + begin;
    row[i] = w.data + start / 2, scale_at[i] = start / weight_block;
  }
  const Index ahead = lanes * w.cols;  // rows that are wanted soon
  for (Index chunk = 0; chunk < depth; chunk += lanes * weight_block) {
    const Index end = std::min(depth, chunk + lanes * weight_block);
    Floats scale[lanes];
    load_scales(w.codes.scales, scale_at, (end - chunk) / weight_block, scale);
    for (Index& at : scale_at) at += lanes;
    for (Index k = chunk; k < end; k += 8 * lanes) {
      Floats words[lanes];
      load_words(row, k / 2, depth / 2, ahead, words);
      for (Index j = 0; j < std::min(lanes, (end - k) / 8); ++j) {
        const Index at = k + 8 * j;
        const Floats of_block = scale[(at - chunk) / weight_block];
        const Words word = std::bit_cast<Words>(words[j]);
#pragma GCC unroll 8
        for (Index c = 0; c < 8; ++c) store(panel + (at + c) * width, lookup(word >> shift_of(c)) * of_block);
      }
    }
  }
}

inline void decode_byte_columns(const CodedRows& w, Index first, Index count, Index begin, Index depth, float* panel,
                                Index width) {
  const std::uint8_t* row[lanes];
  Floats scale{};
  for (Index i = 0; i < lanes; ++i) {
    const Index r = first + std::min(i, count - 1);
    row[i] = w.data + r * w.cols + begin, scale[i] = w.codes.scales(r);
  }
  for (Index k = 0; k < depth; k += 4 * lanes) {
    Floats words[lanes];
    load_words(row, k, depth, 2 * lanes * w.cols, words);
    for (Index at = k; at < std::min(depth, k + 4 * lanes); ++at) {
      const Words word = std::bit_cast<Words>(words[(at - k) / 4]);
      const auto up = static_cast<std::uint32_t>(24 - 8 * ((at - k) % 4));
      const Integers code = std::bit_cast<Integers>(word << up) >> 24;
      store(panel + at * width, __builtin_convertvector(code, Floats) * scale * (1.0f / 127));
    }
  }
}

template <std::size_t... J>
[[gnu::always_inline]] inline Words spread_words(Words words, std::index_sequence<J...>) {
  return __builtin_shufflevector(words, words, static_cast<int>(J / 8)...);
}
template <std::size_t... J>
constexpr Words shifts_of_lanes(std::index_sequence<J...>) {
  return Words{shift_of(static_cast<Index>(J % 8))...};
}

// 'count' elements from 'begin' on, which lie in one row. Blocks and bytes may be cut anywhere.
inline void decode_stretch(const CodedRows& w, Index begin, Index count, float* to) {
  Index i = 0;
  if (w.codes.coding == Coding::int8) {
    const float scale = w.codes.scales(begin / w.cols);
    const auto* code = reinterpret_cast<const std::int8_t*>(w.data) + begin;
    for (; i < count; ++i) to[i] = static_cast<float>(code[i]) * scale * (1.0f / 127);
    return;
  }
  if (lanes >= 8 && begin % lanes == 0) {
    constexpr auto each = std::make_index_sequence<std::size_t{lanes}>{};
    const Lookup lookup(table_of(w.codes.coding));
    for (; i + lanes <= count;) {
      const Index block = (begin + i) / weight_block;
      const Floats scale = broadcast(w.codes.scales(block));
      for (const Index end = std::min(count, (block + 1) * weight_block - begin); i + lanes <= end; i += lanes) {
        std::uint64_t codes = 0;
        std::memcpy(&codes, w.data + (begin + i) / 2, std::size_t{lanes} / 2);
        const Words words = spread_words(std::bit_cast<Words>(codes + LongWords{}), each);
        store(to + i, lookup(words >> shifts_of_lanes(each)) * scale);
      }
    }
  }
  if (i < count) decode(w.data, w.codes, w.cols, begin + i, count - i, to + i);
}

}  // namespace temper
