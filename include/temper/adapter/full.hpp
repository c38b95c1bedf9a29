// SPDX-License-Identifier: MIT
// Full fine-tuning: every weight of the model is trained itself.
#pragma once
#include <type_traits>

#include "temper/adapter/adapter.hpp"
#include "temper/adapter/base_linear.hpp"

namespace temper {

struct Full {
  template <class B>
  struct Linear {
    struct Saved {
      In<B> x;
    };
    BaseLinear<B> base;

    void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) {
      saved.x = x;
      base.forward(ctx, x, y);
    }
    void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) { base.backward(ctx, dy, dx, saved.x); }
    void visit(auto&& each) { base.visit(each); }
  };

  template <class B>
  Linear<B> linear(Builder<B>& build, std::string_view path, LinearShape shape) const {
    return {base_linear(build, path, shape, Trains::weight_and_bias)};
  }
  bool trains(std::string_view) const { return true; }
};

// There is no weight that a storage could hold.
template <class Storage>
Full on(const Storage&, const Full& full) {
  static_assert(std::is_same_v<Storage, Dense>,
                "temper: full fine-tuning trains every weight, and what is trained is not quantized; use Lora, Dora or "
                "PromptTuning on this storage, or Full on Dense; see docs/support.md");
  return full;
}

}  // namespace temper
