// SPDX-License-Identifier: MIT
// A storage that is chosen while the program runs, from a recipe or a folder: whoever needs all of them compiles his
// models once.
#pragma once
#include <string>
#include <string_view>
#include <variant>

#include "temper/storage/fp4.hpp"
#include "temper/storage/int8.hpp"
#include "temper/storage/nf4.hpp"

namespace temper {

struct AnyStorage {
  std::variant<Dense, Nf4, Fp4, Int8> chosen = {};

  static constexpr std::string_view name = "any";
  void check_names(const ModuleNames& modules) const {
    std::visit([&](const auto& storage) { check_storage_names(storage, modules); }, chosen);
  }

  template <class B>
  WeightMatrix<B> matrix(Builder<B>& build, std::string_view path, Index rows, Index cols) const {
    return std::visit([&](const auto& storage) -> WeightMatrix<B> { return storage.matrix(build, path, rows, cols); },
                      chosen);
  }
};

}  // namespace temper
