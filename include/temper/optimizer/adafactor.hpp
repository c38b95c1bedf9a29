// SPDX-License-Identifier: MIT
// Adafactor (Shazeer and Stern 2018) as transformers.Adafactor with scale_parameter and relative_step off and no beta1:
// the rate is the schedule's, a matrix's second moment is a number a row and a number a column, and an update whose
// root mean square is above 1 is shortened to it.
#pragma once
#include <cmath>

#include "temper/backend/operations.hpp"
#include "temper/optimizer/optimizer.hpp"

namespace temper {

struct Adafactor {
  double decay_rate = 0.8;  // the t-th square counts t^-decay_rate, the running mean the rest
  double epsilon = 1e-30;   // added to squares
  double largest = 1;       // root mean square of an update
  double weight_decay = 0.01;

  template <class B>
  struct State {
    View<B, typename B::Activation, 1> row, column;  // of a matrix: running means of squares along its rows and columns
    View<B, typename B::Activation, 1> square;       // of a vector: of each element's square
    void visit(auto&& each) {
      if (square.empty())
        each("row", row), each("column", column);
      else
        each("square", square);
    }
  };

  template <class B>
  State<B> state(Memory<B>& memory, const Parameter<B>& p) const {
    using Act = typename B::Activation;
    State<B> state;
    if (p.is_matrix()) {
      state.row = memory.template allocate<Act, 1>(Holder::optimizer, {p.value.rows()});
      state.column = memory.template allocate<Act, 1>(Holder::optimizer, {p.value.cols()});
    } else {
      state.square = memory.template allocate<Act, 1>(Holder::optimizer, {p.size()});
    }
    return state;
  }

  template <class B>
  void update(Context<B>& ctx, Parameter<B>& p, State<B>& state, StepInfo step) const {
    using Act = typename B::Activation;
    const AdafactorStep settings{.learning_rate = step.rate * p.rate_scale,
                                 .fresh = std::pow(static_cast<double>(step.number + 1), -decay_rate),
                                 .epsilon = epsilon,
                                 .largest = largest,
                                 .weight_decay = p.is_matrix() ? weight_decay : 0};
    if (p.is_matrix())
      adafactor(ctx, p.value, View<B, const Act, 2>(p.gradient), state.row, state.column, settings,
                step.gradient_scale);
    else
      adafactor(ctx, flat(p.value), View<B, const Act, 1>(flat(p.gradient)), state.square, settings,
                step.gradient_scale);
  }
};

}  // namespace temper
