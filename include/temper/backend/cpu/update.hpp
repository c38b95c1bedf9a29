// SPDX-License-Identifier: MIT
// The arithmetic of optimizers, and what clipping needs. Orders of operations follow torch.optim.AdamW and
// torch.optim.SGD for single tensors; gradient_scale multiplies the gradient first.
#pragma once
#include <atomic>

#include "temper/backend/cpu/math.hpp"
#include "temper/backend/cpu/operands.hpp"
#include "temper/backend/operations.hpp"

namespace temper {

// p *= 1 - lr wd;  m += (1 - beta1)(g - m);  v = beta2 v + (1 - beta2) g^2;
// p -= lr / correction1 * m / (sqrt(v) / sqrt(correction2) + eps)
template <class Real>
void adamw(Context<Cpu<Real>>& ctx, OutVector<Real> value, InVector<Real> gradient, OutVector<Real> first,
           OutVector<Real> second, AdamWStep step, double gradient_scale) {
  require(gradient.shape == value.shape && first.shape == value.shape && second.shape == value.shape, Fault::usage,
          "adamw.shape", "adamw: value has {} elements, gradient {}, first moment {}, second {}; expected equal",
          value.size(), gradient.size(), first.size(), second.size());
  constexpr Index stretch = 512;
  ctx.run("adamw", {15 * static_cast<double>(value.size()), 7 * bytes_of_all(gradient)}, [&] {
    const Real scale = static_cast<Real>(gradient_scale);
    const Real kept = static_cast<Real>(1 - step.learning_rate * step.weight_decay);
    const Real new_first = static_cast<Real>(1 - step.beta1), new_second = static_cast<Real>(1 - step.beta2);
    const Real old_second = static_cast<Real>(step.beta2), epsilon = static_cast<Real>(step.epsilon);
    const Real root_correction = static_cast<Real>(std::sqrt(step.correction2));
    const Real size = static_cast<Real>(-step.learning_rate / step.correction1);
    over_elements(ctx, value.size(), [=](Index begin, Index end) {
      Real root[stretch] = {};
      for (Index from = begin; from < end; from += stretch) {
        const Index count = std::min(stretch, end - from);
        Real *p = value.data + from, *m = first.data + from, *v = second.data + from;
        const Real* g = gradient.data + from;
        for (Index i = 0; i < count; ++i) {
          const Real scaled = g[i] * scale;
          m[i] = multiply_add(new_first, scaled - m[i], m[i]);
          root[i] = v[i] = multiply_add(new_second * scaled, scaled, v[i] * old_second);
        }
        square_roots(root);
        for (Index i = 0; i < count; ++i)
          p[i] = multiply_add(p[i], kept, size * m[i] / (root[i] / root_correction + epsilon));
      }
    });
  });
}

// g += wd p;  buffer = mu buffer + g;  p -= lr (buffer, or g + mu buffer for Nesterov). Without momentum p -= lr g.
template <class Real>
void sgd(Context<Cpu<Real>>& ctx, OutVector<Real> value, InVector<Real> gradient, OutVector<Real> momentum_buffer,
         SgdStep step, double gradient_scale) {
  const bool has_buffer = step.momentum != 0;
  require(gradient.shape == value.shape, Fault::usage, "sgd.shape",
          "sgd: value has {} elements and gradient {}; expected equal", value.size(), gradient.size());
  require(!has_buffer || momentum_buffer.shape == value.shape, Fault::usage, "sgd.shape",
          "sgd: value has {} elements and the momentum buffer {}; expected equal, since momentum is {}", value.size(),
          momentum_buffer.size(), step.momentum);
  const double size = static_cast<double>(value.size());
  ctx.run("sgd", {6 * size, (has_buffer ? 5 : 3) * bytes_of_all(gradient)}, [&] {
    const Real scale = static_cast<Real>(gradient_scale), decay = static_cast<Real>(step.weight_decay),
               momentum = static_cast<Real>(step.momentum), rate = static_cast<Real>(-step.learning_rate);
    const Real kept = step.first ? Real(0) : momentum;
    over_elements(ctx, value.size(), [=](Index begin, Index end) {
      Real *p = value.data, *buffer = momentum_buffer.data;
      const Real* g = gradient.data;
      if (!has_buffer) {
        for (Index i = begin; i < end; ++i) p[i] = multiply_add(rate, multiply_add(decay, p[i], g[i] * scale), p[i]);
        return;
      }
      // What the buffer held before the first step is not read: it may be anything.
      if (step.first) std::fill(buffer + begin, buffer + end, Real(0));
      for (Index i = begin; i < end; ++i) {
        const Real decayed = multiply_add(decay, p[i], g[i] * scale);
        const Real moved = buffer[i] = multiply_add(kept, buffer[i], decayed);
        const Real ahead = multiply_add(momentum, moved, decayed);
        p[i] = multiply_add(rate, step.kind == Momentum::nesterov ? ahead : moved, p[i]);
      }
    });
  });
}

// The sum of x^2 on the host; 0 while planning. Blocks of 4096 elements are summed each in its fixed tree, then in
// order.
template <class Real>
double sum_of_squares(Context<Cpu<Real>>& ctx, InVector<Real> x) {
  constexpr Index block = 4096;
  const Pieces blocks = Pieces::of(x.size(), block), pieces = Pieces::of(blocks.count(), Pieces::grain / block);
  const auto scope = ctx.scope();
  const auto partial = scratch<double>(ctx, blocks.count());
  double total = 0;
  ctx.run("sum_of_squares", {2 * static_cast<double>(x.size()), bytes_of_all(x)}, [&] {
    ctx.stream().parallel(pieces.count(), [&](Index piece, int) {
      for (Index i = pieces.begin(piece); i < pieces.end(piece); ++i)
        partial(i) = sum_over<double>(blocks.end(i) - blocks.begin(i), [from = x.data + blocks.begin(i)](Index j) {
          return static_cast<double>(from[j]) * static_cast<double>(from[j]);
        });
    });
    for (Index i = 0; i < partial.size(); ++i) total += partial(i);
  });
  return total;
}

template <class Real>
void zero(Context<Cpu<Real>>& ctx, OutVector<Real> x) {
  ctx.run("zero", {0, bytes_of_all(x)}, [&] {
    over_elements(ctx, x.size(), [to = x.data](Index begin, Index end) { std::fill(to + begin, to + end, Real(0)); });
  });
}

// Whether no element is infinite or NaN; true while planning.
template <class Real>
bool is_finite(Context<Cpu<Real>>& ctx, InVector<Real> x) {
  std::atomic<bool> finite = true;
  ctx.run("is_finite", {static_cast<double>(x.size()), bytes_of_all(x)}, [&] {
    over_elements(ctx, x.size(), [&, from = x.data](Index begin, Index end) {
      // 0 x is 0, but NaN for an infinity and for NaN.
      const Real sum = sum_over<Real>(end - begin, [&](Index j) { return from[begin + j] * 0; });
      if (!(sum == 0)) finite.store(false, std::memory_order_relaxed);
    });
  });
  return finite.load(std::memory_order_relaxed);
}

}  // namespace temper
