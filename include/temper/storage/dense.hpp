// SPDX-License-Identifier: MIT
// Dense storage: a row-major weight matrix in the format of its file (F32, BF16, F16), read where it lies - often a
// memory-mapped file. Arithmetic widens it to the backend's activations, block by block; no widened copy is made.
#pragma once
#include <string>
#include <string_view>

#include "temper/core/view.hpp"

namespace temper {

// The element tag of a C++ type.
template <class T>
constexpr Element element_of = Element::f32;
template <>
inline constexpr Element element_of<double> = Element::f64;
template <>
inline constexpr Element element_of<bf16> = Element::bf16;
template <>
inline constexpr Element element_of<f16> = Element::f16;

// A matrix that is only read: [rows, cols], of an element type known at run time.
template <class B>
struct DenseMatrix {
  const void* data = nullptr;
  Element element = Element::f32;
  Index rows = 0, cols = 0;

  constexpr DenseMatrix() = default;
  constexpr DenseMatrix(const void* pointer, Element type, Index row_count, Index col_count)
      : data(pointer), element(type), rows(row_count), cols(col_count) {}
  template <class T>
  constexpr DenseMatrix(View<B, T, 2> v)
      : data(v.data), element(element_of<std::remove_const_t<T>>), rows(v.rows()), cols(v.cols()) {}

  constexpr std::size_t bytes() const { return static_cast<std::size_t>(rows * cols) * bytes_of(element); }
};

// The storage policy: weights stay as they are.
struct Dense {
  static constexpr std::string_view name = "dense";

  template <class Build>
  auto matrix(Build& build, std::string_view path, Index rows, Index cols) const {
    return build.frozen_matrix(std::string(path) + ".weight", rows, cols);
  }
};

}  // namespace temper
