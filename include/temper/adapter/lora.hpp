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
#include "temper/storage/nf4.hpp"

namespace temper {

enum class Bias { none, all, lora_only };

template <class B>
struct LoraLinear {
  using Act = typename B::Activation;
  struct Saved {
    In<B> x, dropped;
    View<B, Act, 2> xa;  // drop(x) A^T, which the gradient of B needs: [T, R]
  };
  BaseLinear<B> base;
  std::optional<Parameter<B>> a{}, b{};  // [R, in], [out, R]; none where the projection is not a target
  Act scale = 0;
  double drop_probability = 0;
  std::uint32_t site = 0;  // of the dropout's random numbers

  // [forward]
  void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) {
    saved.x = saved.dropped = x;
    base.forward(ctx, x, y);
    if (!a || !ctx.adapted()) return;
    if (drops(ctx)) {
      const auto dropped = keep<Act>(ctx, x.rows(), x.cols());
      dropout(ctx, dropped, x, drop_probability, ctx.random(site), ctx.first_token());
      saved.dropped = dropped;
    }
    saved.xa = keep<Act>(ctx, x.rows(), a->value.rows());
    matmul(ctx, into(saved.xa), saved.dropped, DenseMatrix<B>(a->value));
    matmul(ctx, onto(y.view), saved.xa, DenseMatrix<B>(b->value), scale);
  }
  // [/forward]

  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) {
    base.backward(ctx, dy, dx, saved.x);
    if (!a) return;
    const auto scope = ctx.scope();
    const auto dxa = scratch<Act>(ctx, dy.rows(), a->value.rows());
    matmul_transposed(ctx, into(dxa), dy, DenseMatrix<B>(b->value), scale);
    matmul_outer(ctx, onto(b->gradient), dy, saved.xa, scale);
    matmul_outer(ctx, onto(a->gradient), dxa, saved.dropped);
    if (!drops(ctx)) return matmul_transposed(ctx, onto(dx.view), dxa, DenseMatrix<B>(a->value));
    const auto ddropped = scratch<Act>(ctx, dy.rows(), saved.x.cols());
    matmul_transposed(ctx, into(ddropped), dxa, DenseMatrix<B>(a->value));
    dropout(ctx, ddropped, ddropped, drop_probability, ctx.random(site), ctx.first_token());
    add(ctx, onto(dx.view), ddropped);
  }

  void visit(auto&& each) {
    base.visit(each);
    if (a) each(*a), each(*b);
  }

 private:
  bool drops(const Context<B>& ctx) const { return drop_probability > 0 && ctx.training(); }
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
    require_modules(targets, modules.projections, "lora: targets", "lora.unknown_module");
    require_modules(modules_to_save, modules.all, "lora: modules_to_save", "lora.unknown_module");
    check_storage_names(storage, modules);
  }

  template <class B>
  using Linear = LoraLinear<B>;

  template <class B>
  Linear<B> linear(Builder<B>& build, std::string_view path, LinearShape shape) const {
    const bool adapted = adapts(path);
    const bool trains_bias = bias == Bias::all || (bias == Bias::lora_only && adapted);
    Linear<B> layer{.base = base_linear(build, path, shape,
                                        trains(path)  ? Trains::weight_and_bias
                                        : trains_bias ? Trains::bias
                                                      : Trains::nothing,
                                        storage)};
    if (!adapted) return layer;
    require(rank >= 1 && rank <= std::min(shape.in, shape.out), Fault::usage, "lora.rank",
            "lora: rank {} does not fit {}, which is {} x {}; expected 1 to {}", rank, path, shape.out, shape.in,
            std::min(shape.in, shape.out));
    layer.a = build.parameter(path, "lora_A.weight", {rank, shape.in}, kaiming_uniform);
    layer.b = build.parameter(path, "lora_B.weight", {shape.out, rank}, zeros);
    layer.b->rate_scale = lora_plus_ratio;
    layer.scale = static_cast<typename B::Activation>(scale());
    layer.drop_probability = dropout;
    layer.site = random_site(std::string(path) + " dropout");
    return layer;
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
