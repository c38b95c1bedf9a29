// SPDX-License-Identifier: MIT
// AdamW (Loshchilov and Hutter 2019) on the parameters in float, with both moments in float, four at a time:
//   p *= 1 - lr wd;  m += (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2;
//   p -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
// Every operation is rounded by itself or fused as it stands here, so that the result has the same bits on every
// target, the CPU backend's too.
#pragma once
#include "temper/device/block.cuh"
#include "temper/device/vector.cuh"
#include "temper/kernel/activation.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

// What one step multiplies by; made on the host, in double, and rounded once.
struct AdamWFactors {
  float gradient_scale, kept, new_first, new_second, old_second, root_correction, size, epsilon;
};

struct AdamW {
  static constexpr int threads = elementwise_threads, width = 4;
  using Shared = device::NoShared;
  float* value;
  const float* gradient;
  float* first;
  float* second;
  Index count;
  AdamWFactors factors;

  struct Element {
    float value, first, second;
  };
  TEMPER_DEVICE Element of(Element e, float gradient_of_loss) const {
    const float g = device::product(gradient_of_loss, factors.gradient_scale);
    e.first = device::fused_multiply_add(factors.new_first, device::difference(g, e.first), e.first);
    e.second = device::fused_multiply_add(device::product(factors.new_second, g), g,
                                          device::product(e.second, factors.old_second));
    const float spread = device::sum(device::divide(device::root(e.second), factors.root_correction), factors.epsilon);
    e.value = device::fused_multiply_add(e.value, factors.kept,
                                         device::divide(device::product(factors.size, e.first), spread));
    return e;
  }

  TEMPER_DEVICE void operator()(device::Block<AdamW>& block) const {
    const bool aligned = device::aligned(value, 16) && device::aligned(gradient, 16) && device::aligned(first, 16) &&
                         device::aligned(second, 16);
    over_piece<width>(
        block, count, aligned,
        [&](Index at) {
          auto p = device::load<width>(value + at), m = device::load<width>(first + at),
               v = device::load<width>(second + at);
          const auto g = device::load<width>(gradient + at);
          TEMPER_UNROLL
          for (int i = 0; i < width; ++i) {
            const Element e = of({p[i], m[i], v[i]}, g[i]);
            p[i] = e.value;
            m[i] = e.first;
            v[i] = e.second;
          }
          device::store(value + at, p);
          device::store(first + at, m);
          device::store(second + at, v);
        },
        [&](Index i) {
          const Element e = of({value[i], first[i], second[i]}, gradient[i]);
          value[i] = e.value;
          first[i] = e.first;
          second[i] = e.second;
        });
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
