// SPDX-License-Identifier: MIT
// FP4: 4 bits an element, the nearest of 16 numbers with a sign, two bits of exponent and one of mantissa, in blocks of
// 64 as NF4, and as bitsandbytes.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "temper/storage/storage.hpp"

namespace temper {

struct Fp4 {
  bool double_quantized = true;        // the scales are quantized too
  std::vector<std::string> skip = {};  // layers that stay as they are

  static constexpr std::string_view name = "fp4";
  ScaleForm form() const { return double_quantized ? ScaleForm::coded : ScaleForm::plain; }
  void check_names(const ModuleNames& modules) const { require_skipped(skip, modules); }

  template <class B>
  WeightMatrix<B> matrix(Builder<B>& build, std::string_view path, Index rows, Index cols) const {
    if (names_module(path, skip)) return Dense{}.matrix(build, path, rows, cols);
    return build.coded_matrix(std::string(path) + ".weight", rows, cols, Coding::fp4, form());
  }
};

}  // namespace temper
