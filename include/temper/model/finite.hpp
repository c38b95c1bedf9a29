// SPDX-License-Identifier: MIT
// Finding where a number stopped being one. Off in a normal step; when a loss is not finite the step's forward pass is
// run again with checks on, and the first place that fails is named.
#pragma once
#include "temper/core/context.hpp"

namespace temper {

template <class B>
void check_finite(Context<B>& ctx, In<B> x, std::string_view path, std::string_view part) {
  if (!ctx.checking() || is_finite(ctx, flat(x))) return;
  fail(Fault::numeric, "numeric.not_finite",
       "step {}: a value that is not finite left {}{}{}; expected numbers; lower "
       "the learning rate, or look at the rows of this step",
       ctx.step() + 1, path, part.empty() ? "" : ".", part);
}

}  // namespace temper
