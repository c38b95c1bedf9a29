// SPDX-License-Identifier: MIT
// Several adapters of one kind on one base: the base is held once and never trained, each adapter has parameters of its
// own, and one at a time is the model's: to choose another is to write one number. Who visits the model - a session,
// save_peft, load_peft - meets the chosen one alone, with the names, the values and the dropout that it has by itself.
#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "temper/adapter/adapter.hpp"
#include "temper/adapter/base_linear.hpp"

namespace temper {

// An adapter that can say what it stands on apart from what it puts there:
//
//   template <class B> BaseLinear<B> base(Builder<B>&, std::string_view path, LinearShape) const;
//   template <class B> Linear<B> over(Builder<B>&, std::string_view path, LinearShape, BaseLinear<B>) const;
template <class A, class B>
concept StandsOnBase = MakesItsLinear<A, B> &&
    requires(const A& adapter, Builder<B>& build, std::string_view path, LinearShape shape, BaseLinear<B> base) {
  { adapter.base(build, path, shape) } -> std::same_as<BaseLinear<B>>;
  { adapter.over(build, path, shape, base) } -> std::same_as<typename A::template Linear<B>>;
};

// Which of several is on. Layers read the number where it lies, so that a move leaves it there; a copy has its own.
class Choice {
 public:
  Choice() = default;
  Choice(const Choice& other) : number_(std::make_unique<std::size_t>(*other.number_)) {}
  Choice(Choice&&) noexcept = default;
  Choice& operator=(Choice other) noexcept {
    number_ = std::move(other.number_);
    return *this;
  }
  ~Choice() = default;

  std::size_t& number() const { return *number_; }

 private:
  std::unique_ptr<std::size_t> number_ = std::make_unique<std::size_t>(0);
};

template <class A>
struct Named {
  std::string name;
  A adapter;
};

template <class A>
struct Several {
  std::vector<Named<A>> adapters;
  Choice choice = {};  // the first

  const Named<A>& chosen() const { return adapters[choice.number()]; }

  // Between steps: backward reads what the forward pass of the same adapter kept.
  void choose(std::string_view name) const {
    for (std::size_t i = 0; i < adapters.size(); ++i)
      if (adapters[i].name == name) return void(choice.number() = i);
    std::string names;
    for (const Named<A>& one : adapters) names += (names.empty() ? "" : ", ") + one.name;
    fail(Fault::usage, "several.unknown_adapter", "no adapter is called '{}'; expected one of {}", name, names);
  }

  // [linear]
  template <class B>
  struct Linear {
    using One = typename A::template Linear<B>;
    using Saved = typename One::Saved;
    std::vector<One> layers{};  // each on the same base
    const std::size_t* choice = nullptr;

    void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) { chosen().forward(ctx, x, y, saved); }
    void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) { chosen().backward(ctx, dy, dx, saved); }
    void visit(auto&& each) { chosen().visit(each); }
    One& chosen() { return layers[*choice]; }
  };
  // [/linear]

  template <class B>
  Linear<B> linear(Builder<B>& build, std::string_view path, LinearShape shape) const {
    static_assert(
        StandsOnBase<A, B>,
        "temper: several adapters share one base, and this one does not say what it stands on; add 'base' and "
        "'over', as Lora and Dora have them; see docs/adapters.md, Several on one base");
    check_list();
    Linear<B> layer{.choice = &choice.number()};
    if constexpr (StandsOnBase<A, B>) {
      for (const Named<A>& one : adapters) check_base(build, path, shape, one);
      const BaseLinear<B> base = adapters.front().adapter.base(build, path, shape);
      for (const Named<A>& one : adapters) layer.layers.push_back(one.adapter.over(build, path, shape, base));
    }
    return layer;
  }

  void check_names(const ModuleNames& modules) const {
    check_list();
    for (const Named<A>& one : adapters) {
      check_adapter_names(one.adapter, modules);
      for (const std::string& path : modules.all)
        if (adapter_trains(one.adapter, path)) refuse_trained(one, path);
    }
    for (const std::string& path : modules.all)
      require(path != "score", Fault::usage, "several.head",
              "the model has a score head, which adapters of one base would train together; expected a language head; "
              "build a model for each adapter");
  }

 private:
  void check_list() const {
    require(!adapters.empty(), Fault::usage, "several.names", "there is no adapter; expected one or more");
    for (const Named<A>& one : adapters) {
      const auto same =
          std::count_if(adapters.begin(), adapters.end(), [&](const auto& o) { return o.name == one.name; });
      require(same == 1 && !one.name.empty(), Fault::usage, "several.names",
              "{} of {} adapters are called '{}'; expected a name for each, and each once", same, adapters.size(),
              one.name);
    }
  }

  [[noreturn]] static void refuse_trained(const Named<A>& one, std::string_view path) {
    fail(Fault::usage, "several.base",
         "adapter '{}' trains {} itself, on which the others stand too; expected Bias::none and no modules_to_save; "
         "build a model for it alone",
         one.name, path);
  }

  // What an adapter would stand on alone, in a plan, must not be trained, and be held as the first one's.
  template <class B>
  void check_base(Builder<B>& build, std::string_view path, LinearShape shape, const Named<A>& one) const {
    Memory<B> none(Execution::planning);
    Builder<B> plan(none, build.stream(), nullptr, build.seed());
    const BaseLinear<B> own = one.adapter.base(plan, path, shape);
    if (own.weight || own.bias) refuse_trained(one, path);
    const Named<A>& first = adapters.front();
    const Codes is = own.frozen.weight.codes, wanted = first.adapter.base(plan, path, shape).frozen.weight.codes;
    require(is.coding == wanted.coding && is.scales.form == wanted.scales.form, Fault::usage, "several.base",
            "adapter '{}' would hold {} in {} and '{}' in {}{}; expected one storage, with the same settings, for all",
            one.name, path, name_of(is.coding), first.name, name_of(wanted.coding),
            is.coding == wanted.coding ? " with other scales" : "");
  }
};

// Saved and loaded as PEFT's folder of the chosen one (adapter/peft.hpp).
template <class A>
auto peft_config(const Several<A>& several, const std::string& base) {
  return peft_config(several.chosen().adapter, base);
}
template <class A>
std::string peft_name(const Several<A>& several, const std::string& name) {
  return peft_name(several.chosen().adapter, name);
}

}  // namespace temper
