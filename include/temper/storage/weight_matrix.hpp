// SPDX-License-Identifier: MIT
// A matrix that is only read, in the form that its storage chose while the program ran: dense, or codes with scales.
// One type for all forms, so that layers and models are compiled once, whatever holds their weights. The value of an
// element is a float: table[code] * scale of its block (nf4, fp4), code * largest of its row / 127 (int8).
#pragma once
#include <algorithm>
#include <cstddef>

#include "temper/backend/dynamic_map.hpp"
#include "temper/storage/dense.hpp"

namespace temper {

enum class Coding : std::uint8_t { dense, nf4, fp4, int8 };

constexpr std::string_view name_of(Coding coding) {
  return coding == Coding::dense ? "dense" : coding == Coding::nf4 ? "nf4" : coding == Coding::fp4 ? "fp4" : "int8";
}
constexpr bool four_bits(Coding coding) { return coding == Coding::nf4 || coding == Coding::fp4; }

inline constexpr Index weight_block = 64;  // elements of the flattened matrix that share a scale in 4 bits

// How scales are held: as floats, or as bytes of the dynamic map with a float for each 256 of them (double
// quantization).
enum class ScaleForm { plain, coded };

// Scales of a coded matrix: one a block, with int8 one a row.
struct Scales {
  ScaleForm form = ScaleForm::plain;
  const float* values = nullptr;  // the scales, or where they are coded the scales of 256 codes each
  const std::uint8_t* codes = nullptr;
  float offset = 0;  // of coded scales: their mean

  float operator()(Index i) const {
    float scale = 0;
    read(i, 1, &scale);
    return scale;
  }
  // to[i] = scale first + i
  void read(Index first, Index count, float* to) const {
    if (form == ScaleForm::plain) {
      for (Index i = 0; i < count; ++i) to[i] = values[first + i];
      return;
    }
    for (Index i = 0; i < count;) {
      const Index block = (first + i) / code_block, end = std::min(count, (block + 1) * code_block - first);
      for (const float value = values[block]; i < end; ++i) {
        const float product = rounded_product(dynamic_map<Signs::both>.value[codes[first + i]] * value);
        to[i] = product + offset;
      }
    }
  }
};

// Bytes of the parts of a coded matrix.
struct CodedBytes {
  std::size_t codes = 0, scales = 0, scale_codes = 0;
  std::size_t sum() const { return codes + scales + scale_codes; }
};

constexpr Index scales_of(Coding coding, Index rows, Index cols) {
  return coding == Coding::int8 ? rows : (rows * cols + weight_block - 1) / weight_block;
}

constexpr CodedBytes coded_bytes(Coding coding, ScaleForm form, Index rows, Index cols) {
  const Index count = rows * cols, scales = scales_of(coding, rows, cols);
  const bool coded = form == ScaleForm::coded;
  return {.codes = static_cast<std::size_t>(coding == Coding::int8 ? count : (count + 1) / 2),
          .scales = sizeof(float) * static_cast<std::size_t>(coded ? code_blocks(scales) : scales),
          .scale_codes = static_cast<std::size_t>(coded ? scales : 0)};
}

// How bytes are to be read: element i of a 4-bit matrix is in byte i / 2, the even ones in the upper half.
struct Codes {
  Coding coding = Coding::dense;
  Scales scales{};
};

// A coded matrix with rows of 'cols' elements.
struct CodedRows {
  const std::uint8_t* data;
  Codes codes;
  Index cols;
};

// What a backend computes with codes, by a pointer of its own type: B::coded_products(), or nothing.
template <class B>
struct CodedProductsOf {
  using Pointer = std::nullptr_t;
};
template <class B>
requires requires { B::coded_products(); }
struct CodedProductsOf<B> {
  using Pointer = decltype(B::coded_products());
};

// A coded one brings its backend's products: who holds none compiles none.
template <class B>
struct WeightMatrix {
  const void* data = nullptr;
  Element element = Element::f32;  // of a dense matrix, and of what a coded one decodes to
  Index rows = 0, cols = 0;
  Codes codes{};
  typename CodedProductsOf<B>::Pointer products = nullptr;

  constexpr WeightMatrix() = default;
  constexpr WeightMatrix(const void* pointer, Element type, Index row_count, Index col_count)
      : data(pointer), element(type), rows(row_count), cols(col_count) {}
  constexpr WeightMatrix(DenseMatrix<B> m) : data(m.data), element(m.element), rows(m.rows), cols(m.cols) {}
  template <class T>
  constexpr WeightMatrix(View<B, T, 2> v) : WeightMatrix(DenseMatrix<B>(v)) {}
  constexpr WeightMatrix(const std::uint8_t* coded, Codes how, Index row_count, Index col_count)
      : data(coded), rows(row_count), cols(col_count), codes(how) {
    if constexpr (requires { B::coded_products(); }) products = B::coded_products();
  }

  constexpr std::size_t bytes() const {
    if (codes.coding == Coding::dense) return static_cast<std::size_t>(rows * cols) * bytes_of(element);
    return coded_bytes(codes.coding, codes.scales.form, rows, cols).sum();
  }
};

}  // namespace temper
