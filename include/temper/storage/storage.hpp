// SPDX-License-Identifier: MIT
// A storage decides how the frozen matrices of linear layers are held. It is an aggregate of settings with
//
//   static constexpr std::string_view name;
//   template <class B> WeightMatrix<B> matrix(Builder<B>&, std::string_view path, Index rows, Index cols) const;
//
// and, where it is given names of modules,
//
//   void check_names(const ModuleNames&) const;   throws where one is not known
//
// 'path' is the layer's name in a Hugging Face checkpoint; its weight is the tensor path + ".weight". Products read the
// matrix as it is stored (backend/cpu/linear.hpp). The head, the embedding and all that is trained stay dense.
#pragma once
#include <concepts>
#include <string>
#include <string_view>

#include "temper/core/builder.hpp"
#include "temper/core/module_names.hpp"

namespace temper {

template <class S>
concept HasStorageName = requires {
  { S::name } -> std::convertible_to<std::string_view>;
};
template <class S, class B>
concept MakesItsMatrix = requires(const S& storage, Builder<B>& build, std::string_view path, Index extent) {
  { storage.matrix(build, path, extent, extent) } -> std::convertible_to<WeightMatrix<B>>;
};

template <class S, class B>
concept Storage = HasStorageName<S> && MakesItsMatrix<S, B>;

// The ladder that turns a wrong storage into one sentence.
template <class S, class B>
consteval bool check_storage() {
  static_assert(HasStorageName<S>,
                "temper: this storage has no name; add 'static constexpr std::string_view name'; see docs/storages.md, "
                "Your own");
  static_assert(MakesItsMatrix<S, B>,
                "temper: this storage needs 'template <class B> WeightMatrix<B> matrix(Builder<B>&, std::string_view "
                "path, Index rows, Index cols) const'; see docs/storages.md, Your own");
  return true;
}

template <class S>
void check_storage_names(const S& storage, const ModuleNames& modules) {
  if constexpr (requires { storage.check_names(modules); }) storage.check_names(modules);
}

// A name of a layer that is to be left alone must be one.
inline void require_skipped(const std::vector<std::string>& names, const ModuleNames& modules) {
  require_modules(names, modules, ModuleKind::any, "storage: skip", "storage.unknown_module");
}

}  // namespace temper
