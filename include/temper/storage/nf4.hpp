// SPDX-License-Identifier: MIT
// NF4 (Dettmers et al. 2023): 4 bits an element, the nearest of 16 quantiles of a normal distribution, in blocks of 64
// that share a scale; with double quantization the scales are bytes too: 4.127 bits an element instead of 4.5. Codes
// and scales are those of bitsandbytes.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "temper/storage/storage.hpp"

namespace temper {

struct Nf4 {
  bool double_quantized = true;        // the scales are quantized too
  std::vector<std::string> skip = {};  // layers that stay as they are

  static constexpr std::string_view name = "nf4";
  ScaleForm form() const { return double_quantized ? ScaleForm::coded : ScaleForm::plain; }
  void check_names(const ModuleNames& modules) const { require_skipped(skip, modules); }

  template <class B>
  WeightMatrix<B> matrix(Builder<B>& build, std::string_view path, Index rows, Index cols) const {
    if (names_module(path, skip)) return Dense{}.matrix(build, path, rows, cols);
    return build.coded_matrix(std::string(path) + ".weight", rows, cols, Coding::nf4, form());
  }
};

}  // namespace temper
