// SPDX-License-Identifier: MIT
// int8: a byte an element, each row of the weight in steps of its largest magnitude / 127. This is the vector part of
// LLM.int8 (Dettmers et al. 2022) for weights alone: no column is split off as an outlier, and activations stay floats.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "temper/storage/storage.hpp"

namespace temper {

// [storage]
struct Int8 {
  std::vector<std::string> skip = {};  // layers that stay as they are

  static constexpr std::string_view name = "int8";
  void check_names(const ModuleNames& modules) const { require_skipped(skip, modules); }

  template <class B>
  WeightMatrix<B> matrix(Builder<B>& build, std::string_view path, Index rows, Index cols) const {
    if (names_module(path, skip)) return Dense{}.matrix(build, path, rows, cols);
    return build.coded_matrix(std::string(path) + ".weight", rows, cols, Coding::int8, ScaleForm::plain);
  }
};
// [/storage]

}  // namespace temper
