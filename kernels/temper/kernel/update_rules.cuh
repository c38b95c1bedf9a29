// SPDX-License-Identifier: MIT
// What an optimizer does to one element. g is the gradient times its scale, f has the factors of a step:
//   AdamW        m += (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2;
//                p = (1 - lr wd) p - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
//   Lion         d = beta1 m + (1 - beta1) g;  m = beta2 m + (1 - beta2) g;  p = (1 - lr wd) p - lr sign(d)
//   Sgd          p -= lr (g + wd p)
//   MomentumSgd  d = g + wd p;  m = mu m + d;  p -= lr m, or lr (d + mu m) as Nesterov has it
// Every operation is rounded by itself or fused as it stands here, so that the result has the same bits on every
// target; the CPU backend's, too, where the processor can fuse.
#pragma once
#include <cmath>

#include "temper/backend/operations.hpp"
#include "temper/device/math.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// An element and what its rule remembers of it.
struct TrainedElement {
  float value, first, second;
};

// A rule has the number of floats that it remembers, and its factors: made on the host in double, and rounded once.
// Where it does not remember yet, what those floats hold is not read.
struct AdamW {
  static constexpr int moments = 2;
  struct Factors {
    float gradient_scale, kept, old_first, new_first, old_second, new_second, root_correction, size, epsilon;
  };
  static Factors factors(const AdamWStep& step, double gradient_scale) {
    return {static_cast<float>(gradient_scale),
            static_cast<float>(1 - step.learning_rate * step.weight_decay),
            static_cast<float>(step.beta1),
            static_cast<float>(1 - step.beta1),
            static_cast<float>(step.beta2),
            static_cast<float>(1 - step.beta2),
            static_cast<float>(std::sqrt(step.correction2)),
            static_cast<float>(-step.learning_rate / step.correction1),
            static_cast<float>(step.epsilon)};
  }
  TEMPER_DEVICE static bool remembers(const Factors&) { return true; }
  TEMPER_DEVICE static void move(TrainedElement& e, float g, const Factors& f) {
    e.first = device::fused_multiply_add(f.new_first, device::difference(g, e.first), e.first);
    e.second = new_second(e.second, g, f);
    e.value = new_value(e, f);
  }
  TEMPER_DEVICE static float new_second(float second, float g, const Factors& f) {
    return device::fused_multiply_add(device::product(f.new_second, g), g, device::product(second, f.old_second));
  }
  TEMPER_DEVICE static float new_value(const TrainedElement& e, const Factors& f) {
    const float spread = device::sum(device::divide(device::root(e.second), f.root_correction), f.epsilon);
    return device::fused_multiply_add(e.value, f.kept, device::divide(device::product(f.size, e.first), spread));
  }
};

struct Lion {
  static constexpr int moments = 1;
  struct Factors {
    float gradient_scale, kept, old_way, new_way, old_mean, new_mean, rate;
  };
  static Factors factors(const LionStep& step, double gradient_scale) {
    return {static_cast<float>(gradient_scale),    static_cast<float>(1 - step.learning_rate * step.weight_decay),
            static_cast<float>(step.beta1),        static_cast<float>(1 - step.beta1),
            static_cast<float>(step.beta2),        static_cast<float>(1 - step.beta2),
            static_cast<float>(step.learning_rate)};
  }
  TEMPER_DEVICE static bool remembers(const Factors&) { return true; }
  TEMPER_DEVICE static void move(TrainedElement& e, float g, const Factors& f) {
    const float way = device::fused_multiply_add(f.new_way, g, device::product(e.first, f.old_way));
    const float sign = way > 0 ? 1.0f : way < 0 ? -1.0f : 0.0f;
    e.value = device::fused_multiply_add(-f.rate, sign, device::product(e.value, f.kept));
    e.first = device::fused_multiply_add(f.new_mean, g, device::product(e.first, f.old_mean));
  }
};

struct Sgd {
  static constexpr int moments = 0;
  struct Factors {
    float gradient_scale, decay, rate, momentum, kept;  // kept: 0 in the first step
    Momentum kind;
  };
  static Factors factors(const SgdStep& step, double gradient_scale) {
    return {static_cast<float>(gradient_scale),
            static_cast<float>(step.weight_decay),
            static_cast<float>(-step.learning_rate),
            static_cast<float>(step.momentum),
            step.first ? 0.0f : static_cast<float>(step.momentum),
            step.kind};
  }
  TEMPER_DEVICE static bool remembers(const Factors& f) { return f.kept != 0; }
  TEMPER_DEVICE static void move(TrainedElement& e, float g, const Factors& f) {
    e.value = device::fused_multiply_add(f.rate, device::fused_multiply_add(f.decay, e.value, g), e.value);
  }
};

struct MomentumSgd : Sgd {
  static constexpr int moments = 1;
  TEMPER_DEVICE static void move(TrainedElement& e, float g, const Factors& f) {
    const float decayed = device::fused_multiply_add(f.decay, e.value, g);
    e.first = device::fused_multiply_add(f.kept, e.first, decayed);
    const float ahead = device::fused_multiply_add(f.momentum, e.first, decayed);
    e.value = device::fused_multiply_add(f.rate, f.kind == Momentum::nesterov ? ahead : e.first, e.value);
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
