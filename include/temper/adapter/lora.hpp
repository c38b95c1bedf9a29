// SPDX-License-Identifier: MIT
// LoRA (Hu et al. 2021): y = x W^T + b + s (drop(x) A^T) B^T with W frozen, A [R, in], B [out, R] and s = alpha / R, or
// alpha / sqrt(R) with rank stabilisation (Kalajdzievski 2023). B starts at zero, so the model starts as its base, bit
// for bit. Names, initial values and options are PEFT's.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "temper/adapter/adapter.hpp"
#include "temper/adapter/base_linear.hpp"
#include "temper/adapter/low_rank.hpp"
#include "temper/storage/nf4.hpp"

namespace temper {

enum class Bias { none, all, lora_only };

template <class B>
struct LoraLinear {
  struct Saved {
    In<B> x;
    typename LowRank<B>::Saved low_rank;
  };
  BaseLinear<B> base;
  std::optional<LowRank<B>> low_rank{};  // none where the projection is not a target

  // [forward]
  void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) {
    saved.x = x;
    base.forward(ctx, x, y);
    if (low_rank && ctx.adapted()) low_rank->forward(ctx, x, onto(y.view), saved.low_rank);
  }
  // [/forward]
  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) {
    base.backward(ctx, dy, dx, saved.x);
    if (low_rank) low_rank->backward(ctx, dy, onto(dx.view), saved.low_rank);
  }
  void visit(auto&& each) {
    base.visit(each);
    if (low_rank) low_rank->visit(each);
  }
};

template <class Storage = Dense>
struct Lora {
  Index rank = 16;
  double alpha = 32;
  double dropout = 0;
  bool rank_stabilized = false;
  std::vector<std::string> targets = {};          // empty: every projection
  Bias bias = Bias::none;                         // which biases of the model are trained
  std::vector<std::string> modules_to_save = {};  // whole modules that are trained beside the adapter
  double lora_plus_ratio = 1;                     // B's learning rate over A's (Hayou et al. 2024)
  Storage storage = {};                           // of every weight that is not trained

  double scale() const {
    const auto r = static_cast<double>(rank);
    return rank_stabilized ? alpha / std::sqrt(r) : alpha / r;
  }
  bool adapts(std::string_view path) const { return !trains(path) && (targets.empty() || names_module(path, targets)); }
  bool trains(std::string_view path) const { return names_module(path, modules_to_save); }

  void check_names(const ModuleNames& modules) const {
    require_modules(targets, modules, ModuleKind::projection, "lora: targets", "lora.unknown_module");
    require_modules(modules_to_save, modules, ModuleKind::any, "lora: modules_to_save", "lora.unknown_module");
    check_storage_names(storage, modules);
  }

  template <class B>
  using Linear = LoraLinear<B>;

  template <class B>
  Linear<B> linear(Builder<B>& build, std::string_view path, LinearShape shape) const {
    return over(build, path, shape, base(build, path, shape));
  }
  template <class B>
  BaseLinear<B> base(Builder<B>& build, std::string_view path, LinearShape shape) const {
    const bool trains_bias = bias == Bias::all || (bias == Bias::lora_only && adapts(path));
    return base_linear(build, path, shape,
                       trains(path)  ? Trains::weight_and_bias
                       : trains_bias ? Trains::bias
                                     : Trains::nothing,
                       storage);
  }
  template <class B>
  Linear<B> over(Builder<B>& build, std::string_view path, LinearShape shape, BaseLinear<B> base) const {
    return {std::move(base), low_rank(build, path, shape)};
  }
  template <class B>
  std::optional<LowRank<B>> low_rank(Builder<B>& build, std::string_view path, LinearShape shape) const {
    if (!adapts(path)) return std::nullopt;
    require(rank >= 1 && rank <= std::min(shape.in, shape.out), Fault::usage, "lora.rank",
            "lora: rank {} does not fit {}, which is {} x {}; expected 1 to {}", rank, path, shape.out, shape.in,
            std::min(shape.in, shape.out));
    LowRank<B> change{.a = build.parameter(path, "lora_A.weight", {rank, shape.in}, kaiming_uniform),
                      .b = build.parameter(path, "lora_B.weight", {shape.out, rank}, zeros),
                      .scale = static_cast<typename B::Activation>(scale()),
                      .drop_probability = dropout,
                      .site = random_site(std::string(path) + " dropout")};
    change.b.rate_scale = lora_plus_ratio;
    return change;
  }
};

using QLora = Lora<Nf4>;  // QLoRA (Dettmers et al. 2023)

// The same adapter on another storage.
template <class Storage, class From>
Lora<Storage> on(Storage storage, const Lora<From>& lora) {
  return {.rank = lora.rank,
          .alpha = lora.alpha,
          .dropout = lora.dropout,
          .rank_stabilized = lora.rank_stabilized,
          .targets = lora.targets,
          .bias = lora.bias,
          .modules_to_save = lora.modules_to_save,
          .lora_plus_ratio = lora.lora_plus_ratio,
          .storage = std::move(storage)};
}

}  // namespace temper
