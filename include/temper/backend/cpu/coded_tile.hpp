// SPDX-License-Identifier: MIT
// Products of few rows with coded weights: what tile.hpp computes, element by element the same chain, with each weight
// decoded in the register in which it is multiplied. There is no panel of floats: for few rows writing and reading it
// would take longer than the arithmetic. Words of codes are transposed into a buffer that never leaves the first cache,
// a step ahead, so that the arithmetic does not wait for them. Rows of 4-bit weights must begin with a block of 64.
#pragma once
#include "temper/backend/cpu/decode.hpp"
#include "temper/backend/cpu/tile.hpp"

namespace temper {

// C [rows, cols] (+)= A times rows [first, first + cols) of the matrix; a[k * rows + r].
struct CodedProduct {
  CodedRows w;
  Index first, cols;
  const float* a;
  float* c;
  Index c_stride;
  Begin begin;
};

inline constexpr Index coded_rows = 4;  // at most

// How many vectors of columns fill the registers with sums, and leave some for what is decoded.
constexpr Index coded_vectors(Index rows) { return 4 * rows <= tile_rows + 2 ? 4 : 2; }

// What a tile of columns begins with and ends in; columns that do not exist are never read or written.
template <Index Rows, Index Vectors>
struct CodedSums {
  Floats sum[std::size_t{Rows}][std::size_t{Vectors}];

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
  // work(sum, its place in C, how many of its columns exist)
  template <class Work>
  [[gnu::always_inline]] void over(float* c, Index c_stride, Index cols, Work&& work) {
#pragma GCC unroll 8
    for (Index r = 0; r < Rows; ++r)
#pragma GCC unroll 8
      for (Index v = 0; v < Vectors; ++v)
        if (v * lanes < cols) work(sum[r][v], c + r * c_stride + v * lanes, std::min(lanes, cols - v * lanes));
  }
};

// Four bits: what codes are, and the scales of the next blocks of each row. What is slow in these - scales that are
// coded themselves are looked up one by one - is done a few rows at a time while other things are computed.
template <Index Vectors>
class FourBits {
 public:
  static constexpr Index codes = 8, width = Vectors * lanes, blocks = 16, words = blocks * weight_block / codes;

  explicit FourBits(const CodedRows& w)
      : lookup_(table_of(w.codes.coding)), scales_(w.codes.scales), in_row_(w.cols / weight_block) {}

  // What next() needs of rows [from, to) of the tile that begins at row 'tile' of the matrix, at this word of each.
  // Rows behind 'last' repeat it.
  [[gnu::noinline]] void read(Index word, Index from, Index to, Index tile, Index last) {
    const Index begin = word * codes / weight_block, count = std::min(blocks, in_row_ - begin);
    count_ = count;
    for (Index i = from; i < to; ++i) {
      const Index at = std::min(tile + i, last) * in_row_ + begin;
      at_[i] = at;
      if (scales_.form == ScaleForm::plain) {
        prefetch(scales_.values + at, width * in_row_);
        if (count == blocks)
          std::memcpy(raw_[i], scales_.values + at, sizeof(raw_[i]));
        else
          for (Index b = 0; b < count; ++b) raw_[i][b] = scales_.values[at + b];
      } else {
        const std::uint8_t* const scale_codes = scales_.codes + at;
        float* const raw = raw_[i];
        prefetch(scale_codes, width * in_row_);
        const auto look_up = [scale_codes, raw](Index b) {
          auto bits = std::bit_cast<std::uint32_t>(dynamic_map<Signs::both>.value[scale_codes[b]]);
          asm("" : "+r"(bits));  // one by one: compilers would gather them in vectors, by many instructions
          std::memcpy(raw + b, &bits, sizeof(bits));
        };
        if (count == blocks) {
#pragma GCC unroll 16
          for (Index b = 0; b < blocks; ++b) look_up(b);
        } else {
          for (Index b = 0; b < count; ++b) look_up(b);
        }
      }
    }
  }
  void next() {
    for (Index v = 0; v < Vectors; ++v)
      for (Index b = 0; b < count_; b += lanes) {
        Floats scale[lanes];
        for (Index i = 0; i < lanes; ++i) {
          scale[i] = load(&raw_[v * lanes + i][b]);
          if (scales_.form == ScaleForm::coded) scale[i] = scaled(scale[i], at_[v * lanes + i] + b, count_ - b);
        }
        transpose(scale);
#pragma GCC unroll 16
        for (Index i = 0; i < lanes; ++i) scale_[b + i][v] = scale[i];
      }
  }
  [[gnu::always_inline]] Floats operator()(Words bits, Index word, Index code, Index v) const {
    return lookup_(bits >> shift_of(code)) * scale_[static_cast<std::size_t>(word) % words / (weight_block / codes)][v];
  }

 private:
  // Coded scales from 'at' on, of which 'count' exist, times those of their blocks: rounded, and then moved by the
  // offset.
  [[gnu::always_inline]] Floats scaled(Floats x, Index at, Index count) const {
    const Index first = at / code_block, last = (at + std::min(lanes, count) - 1) / code_block;
    Floats value = broadcast(scales_.values[first]);
    if (first != last)
      for (Index j = last * code_block - at; j < lanes; ++j) value[j] = scales_.values[last];
    return fma(x, value, broadcast(-0.0f)) + broadcast(scales_.offset);
  }

  Lookup lookup_;
  Scales scales_;
  Index in_row_, count_ = 0;
  Index at_[std::size_t{width}] = {};
  float raw_[std::size_t{width}][blocks] = {};
  Floats scale_[blocks][std::size_t{Vectors}];
};

template <Index Vectors>
class Bytes {
 public:
  static constexpr Index codes = 4, words = Index{1} << 40;

  explicit Bytes(const CodedRows& w) : scales_(w.codes.scales) {}
  [[gnu::noinline]] void read(Index, Index from, Index to, Index tile, Index last) {
    for (Index i = from; i < to; ++i) raw_[i] = scales_(std::min(tile + i, last));
  }
  void next() {
    for (Index v = 0; v < Vectors; ++v) scale_[v] = load(raw_ + v * lanes);
  }
  [[gnu::always_inline]] Floats operator()(Words bits, Index, Index code, Index v) const {
    const Integers number = std::bit_cast<Integers>(bits << static_cast<std::uint32_t>(24 - 8 * code)) >> 24;
    return __builtin_convertvector(number, Floats) * scale_[v] * (1.0f / 127);
  }

 private:
  const Scales& scales_;
  float raw_[std::size_t{Vectors * lanes}] = {};
  Floats scale_[std::size_t{Vectors}];
};

// Fetches what is wanted soon into the caches: while a chunk of the rows of a tile is computed, the next one of these
// or of the tile below, row after row. In this order the memory is fast; words are read across the rows.
class FetchAhead {
 public:
  // Chunks are nearly equal, multiples of a step, and at most this long.
  static constexpr Index longest = 2048, piece = 256, line = 64;

  FetchAhead(const std::uint8_t* rows, Index row_bytes, Index count, Index height, Index step, Index calls)
      : rows_(reinterpret_cast<std::uintptr_t>(rows)),
        row_bytes_(row_bytes),
        count_(count),
        height_(height),
        step_(step),
        in_step_(calls) {
    const Index chunks = (row_bytes + longest - 1) / longest, steps = (row_bytes + step - 1) / step;
    chunk_ = (steps + chunks - 1) / chunks * step;
  }

  // Called so many times a step of the tile at byte 'at' of its rows; 'at' counts the first time.
  [[gnu::always_inline]] void fetch(Index tile, Index at) {
    if (at == next_) begin(tile, at);
    for (due_ += pieces_; due_ >= calls_; due_ -= calls_) {
#pragma GCC unroll 4
      for (Index i = 0; i < piece; i += line)
        __builtin_prefetch(reinterpret_cast<const void*>(from_ + static_cast<std::uintptr_t>(i)));
      from_ += static_cast<std::uintptr_t>(piece), left_ -= piece;
      if (left_ <= 0) from_ += static_cast<std::uintptr_t>(left_ + row_bytes_ - bytes_), left_ = bytes_;
    }
  }

 private:
  void begin(Index tile, Index at) {
    calls_ = (std::min(chunk_, row_bytes_ - at) + step_ - 1) / step_ * in_step_, due_ = 0;
    at += chunk_;
    if (at >= row_bytes_) at = 0, tile += height_;
    next_ = at, bytes_ = left_ = std::min(chunk_, row_bytes_ - at);
    from_ = rows_ + static_cast<std::uintptr_t>(tile * row_bytes_ + at);
    pieces_ = std::max(Index{0}, std::min(height_, count_ - tile)) * ((bytes_ + piece - 1) / piece);
  }

  std::uintptr_t rows_, from_ = 0;
  Index row_bytes_, count_, height_, step_, in_step_;
  Index chunk_ = 0, next_ = 0, bytes_ = 0, left_ = 0, pieces_ = 0, calls_ = 1, due_ = 0;
};

// The words of Vectors * lanes rows, transposed: what a step reads.
template <Index Vectors>
using WordsOfStep = Floats[lanes][std::size_t{Vectors}];

// Vector v of these: 'lanes' rows from 'first' on, of which 'count' exist; bytes past the end of a row count as zero.
template <Index Vectors>
[[gnu::always_inline]] inline void load_step(const std::uint8_t* rows, Index row_bytes, Index first, Index count,
                                             Index at, Index v, WordsOfStep<Vectors>& to) {
  Floats block[lanes];
  if (first + lanes <= count && at + 4 * lanes <= row_bytes) {
    const std::uint8_t* const from = rows + first * row_bytes + at;
#pragma GCC unroll 16
    for (Index i = 0; i < lanes; ++i) std::memcpy(&block[i], from + i * row_bytes, sizeof(Floats));
  } else {
    const auto bytes = static_cast<std::size_t>(std::min(4 * lanes, row_bytes - at));
    for (Index i = 0; i < lanes; ++i) {
      float some[lanes] = {};
      std::memcpy(some, rows + std::min(first + i, count - 1) * row_bytes + at, bytes);
      block[i] = load(some);
    }
  }
  transpose(block);
#pragma GCC unroll 16
  for (Index i = 0; i < lanes; ++i) to[i][v] = block[i];
}

template <Index Rows, Index Vectors, template <Index> class Coded>
void multiply_codes(const CodedProduct& p) {
  using Decode = Coded<Vectors>;
  constexpr Index width = Vectors * lanes, step = 4 * lanes, at_once = lanes / Vectors;
  const Index row_bytes = p.w.cols * 4 / Decode::codes, last_row = p.first + p.cols - 1;
  const std::uint8_t* const data = p.w.data + p.first * row_bytes;
  WordsOfStep<Vectors> words[2];
  Decode decode(p.w);
  FetchAhead ahead(data, row_bytes, p.cols, width, step, Vectors);
  for (Index v = 0; v < Vectors; ++v) load_step<Vectors>(data, row_bytes, v * lanes, p.cols, 0, v, words[0]);
  decode.read(0, 0, width, p.first, last_row);
  Index turn = 0;
  for (Index tile = 0; tile < p.cols; tile += width) {
    CodedSums<Rows, Vectors> sums{};
    if (p.begin == Begin::from_c)
      sums.over(p.c + tile, p.c_stride, p.cols - tile, [](Floats& sum, const float* from, Index count) {
        sum = count == lanes ? load(from) : load_some(from, count);
      });
    const float* a = p.a;
    Index parts = 1, part = 0, scales_tile = 0, scales_word = 0;  // of the scales that are read ahead
    for (Index at = 0; at < row_bytes; at += step, turn = 1 - turn) {
      const Index word = at / 4, there = std::min(lanes, (row_bytes - at) / 4);
      const bool ends = at + step >= row_bytes;
      const Index next_tile = ends ? tile + width : tile, next_at = ends ? 0 : at + step;
      if (word % Decode::words == 0) {
        decode.next();
        const Index left = (row_bytes + 3) / 4 - word;
        parts = (std::min(Decode::words, left) + lanes - 1) / lanes, part = 0;
        scales_tile = left <= Decode::words ? tile + width : tile;
        scales_word = left <= Decode::words ? 0 : word + Decode::words;
      }
      decode.read(scales_word, part * width / parts, (part + 1) * width / parts, p.first + scales_tile, last_row);
      ++part;
      const WordsOfStep<Vectors>& now = words[turn];
      for (Index v = 0; v < Vectors; ++v) {
        if (next_tile < p.cols)
          load_step<Vectors>(data, row_bytes, next_tile + v * lanes, p.cols, next_at, v, words[1 - turn]);
        ahead.fetch(tile, v == 0 ? at : -1);
        for (Index j = v * at_once; j < std::min(there, (v + 1) * at_once); ++j, a += Decode::codes * Rows) {
#pragma GCC unroll 8
          for (Index code = 0; code < Decode::codes; ++code)
            sums.add(a + code * Rows,
                     [&](Index u) { return decode(std::bit_cast<Words>(now[j][u]), word + j, code, u); });
        }
      }
      if (there < lanes)  // bytes of a last word
        for (Index byte = 0; at + 4 * there + byte < row_bytes; ++byte, a += Rows)
          sums.add(a, [&](Index u) {
            return decode(std::bit_cast<Words>(now[there][u]) >> static_cast<std::uint32_t>(8 * byte), word, 0, u);
          });
    }
    sums.over(p.c + tile, p.c_stride, p.cols - tile, [](Floats sum, float* to, Index count) {
      std::memcpy(to, &sum, static_cast<std::size_t>(count) * sizeof(float));
    });
  }
}

inline void multiply_codes(const CodedProduct& p, Index rows) {
  const auto of_rows = [&]<Index Rows>() {
    constexpr Index vectors = coded_vectors(Rows);
    p.w.codes.coding == Coding::int8 ? multiply_codes<Rows, vectors, Bytes>(p)
                                     : multiply_codes<Rows, vectors, FourBits>(p);
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
