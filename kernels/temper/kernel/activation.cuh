// SPDX-License-Identifier: MIT
// Element by element, in pieces of 16 bytes where the pointers allow it:
//   swiglu   y = silu(gate) up, silu(x) = x s, s = 1 / (1 + exp(-x));  dup = dy silu(gate),  dgate = dy up (s + silu (1
//   - s)) rotary   halves (a, b) of each head turn against each other, as in Hugging Face's models: a' = a cos - b sin,
//            b' = b cos + a sin; the gradient turns back. In place.
#pragma once
#include "temper/device/block.cuh"
#include "temper/device/vector.cuh"

namespace temper::kernel {
inline namespace TEMPER_TARGET {

inline constexpr int elementwise_threads = 256;

// exp goes through a power of two; the sum is at least 1, so that no x is too large.
TEMPER_DEVICE float sigmoid(float x) {
  return device::divide(1.0f, 1.0f + device::power_of_two(x * -1.44269504088896340736f));
}

// How many blocks take 'count' elements, each thread a piece of 16 bytes.
template <class T>
int elementwise_grid(Index count) {
  const Index each = Index{elementwise_threads} * (16 / int{sizeof(T)});
  return static_cast<int>((count + each - 1) / each);
}

// work(first, n) for this thread's piece: n is its width where 'whole', which asks for one access of 16 bytes; else
// work(i, 1) for each of its elements.
template <int Width, class Kernel, class Whole, class Single>
TEMPER_DEVICE void over_piece(const device::Block<Kernel>& block, Index count, bool aligned, const Whole& whole,
                              const Single& single) {
  const Index first = (Index{block.index().x} * Kernel::threads + block.thread()) * Width;
  if (aligned && first + Width <= count) {
    whole(first);
  } else {
    for (Index i = first; i < first + Width && i < count; ++i) single(i);
  }
}

template <class T>
struct Swiglu {
  static constexpr int threads = elementwise_threads, width = 16 / int{sizeof(T)};
  using Shared = device::NoShared;
  const T* gate;
  const T* up;
  T* y;
  Index count;

  TEMPER_DEVICE static T of(T gate, T up) {
    const float g = device::widen(gate);
    return device::narrow<T>(g * sigmoid(g) * device::widen(up));
  }
  TEMPER_DEVICE void operator()(device::Block<Swiglu>& block) const {
    const bool aligned = device::aligned(gate, 16) && device::aligned(up, 16) && device::aligned(y, 16);
    over_piece<width>(
        block, count, aligned,
        [&](Index first) {
          auto g = device::load<width>(gate + first);
          const auto u = device::load<width>(up + first);
          TEMPER_UNROLL
          for (int i = 0; i < width; ++i) g[i] = of(g[i], u[i]);
          device::store(y + first, g);
        },
        [&](Index i) { y[i] = of(gate[i], up[i]); });
  }
};

template <class T>
struct SwigluBackward {
  static constexpr int threads = elementwise_threads, width = 16 / int{sizeof(T)};
  using Shared = device::NoShared;
  const T* gate;
  const T* up;
  const T* dy;
  T* dgate;
  T* dup;
  Index count;

  struct Gradients {
    T gate, up;
  };
  TEMPER_DEVICE static Gradients of(T gate, T up, T dy) {
    const float g = device::widen(gate), s = sigmoid(g), silu = g * s, d = device::widen(dy);
    return {device::narrow<T>(d * device::widen(up) * device::fused_multiply_add(silu, 1.0f - s, s)),
            device::narrow<T>(d * silu)};
  }
  TEMPER_DEVICE void operator()(device::Block<SwigluBackward>& block) const {
    const bool aligned = device::aligned(gate, 16) && device::aligned(up, 16) && device::aligned(dy, 16) &&
                         device::aligned(dgate, 16) && device::aligned(dup, 16);
    over_piece<width>(
        block, count, aligned,
        [&](Index first) {
          auto g = device::load<width>(gate + first), u = device::load<width>(up + first);
          const auto d = device::load<width>(dy + first);
          TEMPER_UNROLL
          for (int i = 0; i < width; ++i) {
            const Gradients both = of(g[i], u[i], d[i]);
            g[i] = both.gate;
            u[i] = both.up;
          }
          device::store(dgate + first, g);
          device::store(dup + first, u);
        },
        [&](Index i) {
          const Gradients both = of(gate[i], up[i], dy[i]);
          dgate[i] = both.gate;
          dup[i] = both.up;
        });
  }
};

enum class Turn { forward, back };

// One token a block, its threads over heads and halves. Tables are [positions, width / 2].
template <class T>
struct Rotary {
  static constexpr int threads = 128;
  using Shared = device::NoShared;
  T* x;  // [tokens, heads, width]
  const std::int32_t* positions;
  const float* cosines;
  const float* sines;
  int heads, width;
  Turn turn;

  TEMPER_DEVICE void operator()(device::Block<Rotary>& block) const {
    const int half = width / 2;
    const Index token = block.index().x, table = Index{positions[token]} * half;
    T* row = x + token * heads * width;
    for (int i = block.thread(); i < heads * half; i += threads) {
      const int head = i / half, c = i % half;
      T* first = row + Index{head} * width + c;
      const float a = device::widen(first[0]), b = device::widen(first[half]), cosine = cosines[table + c];
      const float sine = turn == Turn::forward ? sines[table + c] : -sines[table + c];
      first[0] = device::narrow<T>(device::fused_multiply_add(a, cosine, -(b * sine)));
      first[half] = device::narrow<T>(device::fused_multiply_add(b, cosine, a * sine));
    }
  }
};

}  // namespace TEMPER_TARGET
}  // namespace temper::kernel
