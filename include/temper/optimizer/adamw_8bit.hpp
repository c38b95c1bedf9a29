// SPDX-License-Identifier: MIT
// AdamW with moments of one byte an element (Dettmers et al. 2022) as bitsandbytes.optim.AdamW8bit: the dynamic map,
// blocks of 256 with a scale each, and plain 32-bit moments for tensors below 4,096 elements.
#pragma once
#include <cstdint>

#include "temper/backend/dynamic_map.hpp"
#include "temper/optimizer/adamw.hpp"

namespace temper {

struct AdamW8bit {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.01;
  Index smallest = 4096;  // elements of a tensor whose moments are coded

  template <class B>
  struct State {
    View<B, std::uint8_t, 1> first_codes, second_codes;
    View<B, typename B::Activation, 1> first_scales, second_scales;  // one for each 256 codes
    AdamW::State<B> plain;                                           // of a small tensor
    void visit(auto&& each) {
      if (first_codes.empty()) return plain.visit(each);
      each("first_codes", first_codes), each("first_scales", first_scales);
      each("second_codes", second_codes), each("second_scales", second_scales);
    }
  };

  template <class B>
  State<B> state(Memory<B>& memory, const Parameter<B>& p) const {
    using Act = typename B::Activation;
    State<B> state;
    if (p.size() < smallest) {
      state.plain = AdamW{}.state(memory, p);
      return state;
    }
    for (auto* codes : {&state.first_codes, &state.second_codes})
      *codes = memory.template allocate<std::uint8_t, 1>(Holder::optimizer, {p.size()});
    for (auto* scales : {&state.first_scales, &state.second_scales})
      *scales = memory.template allocate<Act, 1>(Holder::optimizer, {code_blocks(p.size())});
    return state;
  }

  // In whole blocks.
  template <class B>
  State<B> part(const State<B>& state, Index begin, Index end) const {
    State<B> part;
    if (state.first_codes.empty()) {
      part.plain = AdamW{}.part(state.plain, begin, end);
      return part;
    }
    const Index block = begin / code_block, last = block + code_blocks(end - begin);
    part.first_codes = state.first_codes.slice(begin, end), part.first_scales = state.first_scales.slice(block, last);
    part.second_codes = state.second_codes.slice(begin, end),
    part.second_scales = state.second_scales.slice(block, last);
    return part;
  }

  template <class B>
  void update(Context<B>& ctx, Parameter<B>& p, State<B>& state, StepInfo step) const {
    const AdamW rule{beta1, beta2, epsilon, weight_decay};
    if (state.first_codes.empty()) return rule.update(ctx, p, state.plain, step);
    adamw_8bit(ctx, flat(p.value), View<B, const typename B::Activation, 1>(flat(p.gradient)),
               {state.first_codes, state.first_scales}, {state.second_codes, state.second_scales},
               rule.step_of(p, step), step.gradient_scale);
  }
};

}  // namespace temper
