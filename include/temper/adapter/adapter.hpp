// SPDX-License-Identifier: MIT
// An adapter decides which linear layer stands where the model has a projection. It is an aggregate of settings with
//
//   template <class B> struct Linear;       a Layer: y from x, with what it trains (core/layer.hpp)
//   template <class B> Linear<B> linear(Builder<B>&, std::string_view path, LinearShape) const;
//
// and, where it trains tensors of the model itself,
//
//   bool trains(std::string_view path) const;     'model.norm', 'lm_head', 'model.embed_tokens': train this module's
//   weight
//
// and, where it is given names of modules,
//
//   void check_names(const ModuleNames&) const;   throws where one is not known
//
// and, where it puts learned states before each document,
//
//   Parameter<B> prefix(Builder<B>&, Index vocabulary, Index width) const;      [places, width]
//
// 'path' is the module's name in a Hugging Face checkpoint: model.layers.0.self_attn.q_proj. A projection that the
// adapter leaves alone is a frozen linear layer of the same type.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "temper/core/builder.hpp"
#include "temper/core/module_names.hpp"

namespace temper {

template <class A, class B>
concept NamesItsLinear = requires {
  typename A::template Linear<B>;
};
template <class A, class B>
concept LinearIsALayer = NamesItsLinear<A, B> && Layer<typename A::template Linear<B>, B>;
template <class A, class B>
concept MakesItsLinear = NamesItsLinear<A, B> &&
    requires(const A& adapter, Builder<B>& build, std::string_view path, LinearShape shape) {
  { adapter.linear(build, path, shape) } -> std::same_as<typename A::template Linear<B>>;
};

template <class A, class B>
concept HasPrefix = requires(const A& adapter, Builder<B>& build, Index extent) {
  { adapter.prefix(build, extent, extent) } -> std::same_as<Parameter<B>>;
};

template <class A, class B>
concept Adapter = LinearIsALayer<A, B> && MakesItsLinear<A, B>;

// The ladder that turns a wrong adapter into one sentence.
template <class A, class B>
consteval bool check_adapter() {
  static_assert(NamesItsLinear<A, B>,
                "temper: this adapter does not say what a linear layer is; add 'template <class B> "
                "struct Linear' with forward, backward and visit; see docs/adapters.md, Linear");
  if constexpr (NamesItsLinear<A, B>) {
    using L = typename A::template Linear<B>;
    static_assert(HasSaved<L, B>,
                  "temper: this adapter's Linear does not say what backward needs; add 'struct Saved' (it "
                  "may be empty); see docs/adapters.md, Linear");
    if constexpr (HasSaved<L, B>) {
      static_assert(HasForward<L, B>,
                    "temper: this adapter's Linear needs 'void forward(Context<B>&, In<B> x, Out<B> y, "
                    "Saved&)'; see docs/adapters.md, Linear");
      static_assert(HasBackward<L, B>,
                    "temper: this adapter's Linear needs 'void backward(Context<B>&, In<B> dy, Out<B> "
                    "dx, Saved&)'; see docs/adapters.md, Linear");
    }
    static_assert(HasVisit<L, B>,
                  "temper: this adapter's Linear needs 'void visit(auto&& each)' that gives every trained "
                  "Parameter<B>; see docs/adapters.md, Linear");
    static_assert(MakesItsLinear<A, B>,
                  "temper: this adapter needs 'template <class B> Linear<B> linear(Builder<B>&, "
                  "std::string_view path, LinearShape) const'; see docs/adapters.md, Linear");
  }
  return true;
}

template <class A>
void check_adapter_names(const A& adapter, const ModuleNames& modules) {
  if constexpr (requires { adapter.check_names(modules); }) adapter.check_names(modules);
}

template <class A>
bool adapter_trains(const A& adapter, std::string_view path) {
  if constexpr (requires {
                  { adapter.trains(path) } -> std::same_as<bool>;
                })
    return adapter.trains(path);
  else
    return false;
}

}  // namespace temper
