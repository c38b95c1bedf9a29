// SPDX-License-Identifier: MIT
// The arithmetic of optimizers, element by element, and what clipping needs. Orders of operations follow
// torch.optim.AdamW, SGD and Muon for single tensors; gradient_scale multiplies the gradient first.
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

// d = beta1 m + (1 - beta1) g;  m = beta2 m + (1 - beta2) g;  p = (1 - lr wd) p - lr sign(d)
template <class Real>
void lion(Context<Cpu<Real>>& ctx, OutVector<Real> value, InVector<Real> gradient, OutVector<Real> mean, LionStep step,
          double gradient_scale) {
  require(gradient.shape == value.shape && mean.shape == value.shape, Fault::usage, "lion.shape",
          "lion: value has {} elements, gradient {} and mean {}; expected equal", value.size(), gradient.size(),
          mean.size());
  ctx.run("lion", {8 * static_cast<double>(value.size()), 5 * bytes_of_all(gradient)}, [&] {
    const Real scale = static_cast<Real>(gradient_scale), rate = static_cast<Real>(step.learning_rate);
    const Real kept = static_cast<Real>(1 - step.learning_rate * step.weight_decay);
    const Real old_way = static_cast<Real>(step.beta1), new_way = static_cast<Real>(1 - step.beta1);
    const Real old_mean = static_cast<Real>(step.beta2), new_mean = static_cast<Real>(1 - step.beta2);
    over_elements(ctx, value.size(), [=](Index begin, Index end) {
      Real *p = value.data, *m = mean.data;
      const Real* g = gradient.data;
      for (Index i = begin; i < end; ++i) {
        const Real scaled = g[i] * scale, way = multiply_add(new_way, scaled, m[i] * old_way);
        const Real sign = static_cast<Real>(way > 0) - static_cast<Real>(way < 0);
        p[i] = multiply_add(-rate, sign, p[i] * kept);
        m[i] = multiply_add(new_mean, scaled, m[i] * old_mean);
      }
    });
  });
}

// mean += (1 - mu)(g - mean);  y = mean, or g + mu (mean - g) for Nesterov. Without momentum y = g and there is no
// mean.
template <class Real>
void averaged_gradient(Context<Cpu<Real>>& ctx, OutVector<Real> y, InVector<Real> gradient, OutVector<Real> mean,
                       double momentum, Momentum kind, double gradient_scale) {
  const bool has_mean = momentum != 0;
  require(gradient.shape == y.shape && (!has_mean || mean.shape == y.shape), Fault::usage, "averaged_gradient.shape",
          "averaged_gradient: result has {} elements, gradient {} and mean {}; expected equal", y.size(),
          gradient.size(), mean.size());
  const double size = static_cast<double>(y.size());
  ctx.run("averaged_gradient", {5 * size, (has_mean ? 4 : 2) * bytes_of_all(gradient)}, [&] {
    const Real scale = static_cast<Real>(gradient_scale), fresh = static_cast<Real>(1 - momentum);
    const Real ahead = kind == Momentum::nesterov ? static_cast<Real>(momentum) : Real(1);
    over_elements(ctx, y.size(), [=](Index begin, Index end) {
      const Real* g = gradient.data;
      for (Index i = begin; i < end; ++i) {
        const Real scaled = g[i] * scale;
        Real moved = scaled;
        if (has_mean) moved = mean.data[i] = multiply_add(fresh, scaled - mean.data[i], mean.data[i]);
        y.data[i] = multiply_add(ahead, moved - scaled, scaled);
      }
    });
  });
}

// y = kept y + rate x
template <class Real>
void blend(Context<Cpu<Real>>& ctx, OutVector<Real> y, double kept, InVector<Real> x, double rate) {
  require(x.shape == y.shape, Fault::usage, "blend.shape", "blend: y has {} elements and x {}; expected equal",
          y.size(), x.size());
  ctx.run("blend", {3 * static_cast<double>(y.size()), 3 * bytes_of_all(x)}, [&] {
    over_elements(ctx, y.size(),
                  [to = y.data, from = x.data, old = static_cast<Real>(kept), fresh = static_cast<Real>(rate)](
                      Index begin, Index end) {
                    for (Index i = begin; i < end; ++i) to[i] = multiply_add(fresh, from[i], to[i] * old);
                  });
  });
}

// y = a I + b x + c y, of square matrices
template <class Real>
void combine(Context<Cpu<Real>>& ctx, OutMatrix<Real> y, InMatrix<Real> x, Quintic factor) {
  require(x.shape == y.shape && x.rows() == x.cols(), Fault::usage, "combine.shape",
          "combine: y is [{}, {}] and x is [{}, {}]; expected equal squares", y.rows(), y.cols(), x.rows(), x.cols());
  ctx.run("combine", {3 * static_cast<double>(y.size()), 3 * bytes_of_all(x)}, [&] {
    const Real a = static_cast<Real>(factor.a), b = static_cast<Real>(factor.b), c = static_cast<Real>(factor.c);
    over_rows(ctx, y.rows(), y.cols(), [&](Index t) {
      Real* to = y.data + t * y.cols();
      const Real* from = x.data + t * x.cols();
      for (Index j = 0; j < y.cols(); ++j) to[j] = multiply_add(b, from[j], to[j] * c);
      to[t] += a;
    });
  });
}

// The sum of x^2 on the host; 0 while planning. Blocks of 4096 elements are summed each in its fixed tree, then in
// order.
template <class Real, class T>
double sum_of_squares_of(Context<Cpu<Real>>& ctx, View<Cpu<Real>, const T, 1> x) {
  constexpr Index block = 4096;
  constexpr auto number = [](T held) {
    if constexpr (std::is_same_v<T, bf16>)
      return static_cast<double>(to_float(held));
    else
      return static_cast<double>(held);
  };
  const Pieces blocks = Pieces::of(x.size(), block), pieces = Pieces::of(blocks.count(), Pieces::grain / block);
  const auto scope = ctx.scope();
  const auto partial = scratch<double>(ctx, blocks.count());
  double total = 0;
  ctx.run("sum_of_squares", {2 * static_cast<double>(x.size()), bytes_of_all(x)}, [&] {
    ctx.stream().parallel(pieces.count(), [&](Index piece, int) {
      for (Index i = pieces.begin(piece); i < pieces.end(piece); ++i)
        partial(i) = sum_over<double>(
            blocks.end(i) - blocks.begin(i),
            [number, from = x.data + blocks.begin(i)](Index j) { return number(from[j]) * number(from[j]); });
    });
    for (Index i = 0; i < partial.size(); ++i) total += partial(i);
  });
  return total;
}

template <class Real>
double sum_of_squares(Context<Cpu<Real>>& ctx, InVector<Real> x) {
  return sum_of_squares_of(ctx, x);
}
template <class Real>
double sum_of_squares(Context<Cpu<Real>>& ctx, InList<Real, bf16> x) {
  return sum_of_squares_of(ctx, x);
}

// Elements of any type: an optimizer's state may be codes.
template <class Real, class T>
void zero(Context<Cpu<Real>>& ctx, View<Cpu<Real>, T, 1> x) {
  ctx.run("zero", {0, bytes_of_all(x)}, [&] {
    over_elements(ctx, x.size(), [to = x.data](Index begin, Index end) { std::fill(to + begin, to + end, T{}); });
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
