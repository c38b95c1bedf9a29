// SPDX-License-Identifier: MIT
// How weights are moved in the middle of backward (Update::in_backward): by the session's rule as soon as a gradient is
// whole, and the same in a plan.
#pragma once
#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>
#include <vector>

#include "temper/optimizer/optimizer.hpp"

namespace temper {

// The square of a gradient's norm, which must be a number.
template <class B>
double squares_of_gradient(Context<B>& ctx, const Parameter<B>& p, Step step) {
  const double squares =
      p.has_narrow_gradient() ? sum_of_squares(ctx, flat(p.narrow_gradient)) : sum_of_squares(ctx, flat(p.gradient));
  require(std::isfinite(squares), Fault::numeric, "numeric.not_finite",
          "step {}: the gradient of {} is not finite; expected numbers; lower the learning rate", step + 1, p.name);
  return squares;
}

template <class B, class R>
class MovesInBackward final : public Mover<B> {
 public:
  using State = typename R::template State<B>;

  // Of the step that begins; 'states' in the order of visit.
  template <class M>
  void begin(M& model, const R& rule, std::span<State> states, Step step, StepInfo info) {
    rule_ = &rule, states_ = states, step_ = step, info_ = info, moved_ = 0;
    parameters_.clear();
    model.visit([&](auto& p) { parameters_.push_back(&p); });
    squares_.assign(parameters_.size(), 0);
  }

  void move(Context<B>& ctx, Parameter<B>& p) override {
    const auto place =
        static_cast<std::size_t>(std::find(parameters_.begin(), parameters_.end(), &p) - parameters_.begin());
    require(place < parameters_.size(), Fault::usage, "step.other_model",
            "{} is not of the model that this step began with; expected begin_step and forward_backward on one model",
            p.name);
    squares_[place] = squares_of_gradient(ctx, p, step_);
    apply(ctx, *rule_, p, states_[place], info_);
    ++moved_;
  }

  bool any() const { return moved_ > 0; }
  double squares(std::size_t place) const { return squares_[place]; }  // of the gradient that was, for the norm

 private:
  const R* rule_ = nullptr;
  std::span<State> states_;
  Step step_ = 0;
  StepInfo info_;
  std::size_t moved_ = 0;
  std::vector<const Parameter<B>*> parameters_;
  std::vector<double> squares_;
};

template <class B, class R>
class PlannedMoves final : public Mover<B> {
 public:
  explicit PlannedMoves(const R& rule) : rule_(rule) {}
  void move(Context<B>& ctx, Parameter<B>& p) override {
    Memory<B> memory(Execution::planning);  // the plan counts states elsewhere
    auto state = rule_.state(memory, p);
    squares_of_gradient(ctx, p, 0);
    apply(ctx, rule_, p, state, {});
  }

 private:
  const R& rule_;
};

}  // namespace temper
