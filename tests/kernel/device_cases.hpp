// SPDX-License-Identifier: MIT
// Each word of the device layer by itself, against what its comment says: the proof that instruction and meaning agree.
#pragma once
#include "kernel/kernel_cases.hpp"

namespace temper::test::kernels {

// out[t] of one block of 64 threads.
struct Shuffles {
  static constexpr int threads = 64;
  using Shared = device::NoShared;
  float* out;
  int what;
  TEMPER_DEVICE void operator()(device::Block<Shuffles>& block) const {
    const auto warp = block.warp();
    const float mine = static_cast<float>(block.thread());
    float got = 0;
    if (what == 0) got = warp.shuffle(mine, (block.lane() * 5 + 3) % 32);
    if (what == 1) got = warp.shuffle_xor(mine, 9);
    if (what == 2) got = warp_sum(warp, mine);
    if (what == 3) got = warp_max(warp, block.lane() == 13 ? 100.0f : -mine);
    out[block.thread()] = got;
  }
};

struct BlockSum {
  static constexpr int threads = 160;
  struct Shared {
    float partial[threads / device::warp_size];
  };
  float* out;
  TEMPER_DEVICE void operator()(device::Block<BlockSum>& block) const {
    const int first = block.index().x + block.grid().x * block.index().y;
    const float sum = block_sum(block, static_cast<float>(block.thread() + first), block.shared.partial);
    out[first * threads + block.thread()] = sum;
  }
};

enum class Format { bf16, f16, tf32 };

// One warp: C[16,8] += A[16,k] B[k,8], fragments filled from global memory by the layout that mma.cuh states.
template <Format F>
struct OneTile {
  static constexpr int threads = 32, k = F == Format::tf32 ? 8 : 16;
  using Shared = device::NoShared;
  const float* a;  // [16, k]
  const float* b;  // [k, 8]
  float* c;        // [16, 8]

  TEMPER_DEVICE static std::uint32_t pair(float low, float high) {
    if (F == Format::bf16) return device::bf16_pair(low, high);
    return static_cast<std::uint32_t>(device::narrow<f16>(low).bits) |
           static_cast<std::uint32_t>(device::narrow<f16>(high).bits) << 16;
  }
  TEMPER_DEVICE void operator()(device::Block<OneTile>& block) const {
    const int group = block.lane() / 4, within = block.lane() % 4;
    device::FragmentA fa;
    device::FragmentB fb;
    device::Accumulator sum;
    for (int i = 0; i < 4; ++i) {
      const int row = group + 8 * (i % 2), column = 8 * (i / 2);
      if constexpr (F == Format::tf32) {
        fa.r[i] = device::tf32_bits(a[row * k + within + column / 2]);
      } else {
        fa.r[i] = pair(a[row * k + column + 2 * within], a[row * k + column + 2 * within + 1]);
      }
    }
    for (int i = 0; i < 2; ++i) {
      if constexpr (F == Format::tf32) {
        fb.r[i] = device::tf32_bits(b[(within + 4 * i) * 8 + group]);
      } else {
        fb.r[i] = pair(b[(8 * i + 2 * within) * 8 + group], b[(8 * i + 2 * within + 1) * 8 + group]);
      }
    }
    for (int i = 0; i < 4; ++i)
      sum.r[i] = c[device::accumulator_row(block.lane(), i) * 8 + device::accumulator_column(block.lane(), i)];
    if constexpr (F == Format::bf16) mma_bf16(block.warp(), sum, fa, fb);
    if constexpr (F == Format::f16) mma_f16(block.warp(), sum, fa, fb);
    if constexpr (F == Format::tf32) mma_tf32(block.warp(), sum, fa, fb);
    for (int i = 0; i < 4; ++i)
      c[device::accumulator_row(block.lane(), i) * 8 + device::accumulator_column(block.lane(), i)] = sum.r[i];
  }
};

// Loads 32 x 8 numbers, number i in shared memory being i, as four tiles.
struct Tiles {
  static constexpr int threads = 32;
  struct Shared {
    alignas(16) bf16 tile[32][8];
  };
  std::uint32_t* out;  // [2, 32, 4]
  TEMPER_DEVICE void operator()(device::Block<Tiles>& block) const {
    const int l = block.lane();
    for (int i = 0; i < 8; ++i) block.shared.tile[l][i].bits = static_cast<std::uint16_t>(8 * l + i);
    block.sync();
    const auto plain = load_matrix(block.warp(), block.shared.tile[l]);
    const auto turned = load_matrix_transposed(block.warp(), block.shared.tile[l]);
    for (int i = 0; i < 4; ++i) {
      out[l * 4 + i] = plain.r[i];
      out[128 + l * 4 + i] = turned.r[i];
    }
  }
};

// A ring of three stages of copies: out = in, with zeros behind 'count', in rounds of a block's 512 bytes.
struct Pipeline {
  static constexpr int threads = 32, stages = 3;
  struct Shared {
    alignas(16) std::uint32_t stage[stages][threads][4];
  };
  const std::uint32_t* in;
  std::uint32_t* out;
  int count, rounds;
  TEMPER_DEVICE void operator()(device::Block<Pipeline>& block) const {
    device::AsyncCopies copies(block);
    const auto fetch = [&](int round) {
      const int first = (round * threads + block.thread()) * 4;
      const int left = 4 * (count - first);
      const int valid = left < 0 ? 0 : left < 16 ? left : 16;
      if (round < rounds)
        copies.copy(block.shared.stage[round % stages][block.thread()], in + (valid > 0 ? first : 0), valid);
      copies.commit();
    };
    fetch(0);
    fetch(1);
    for (int round = 0; round < rounds; ++round) {
      copies.wait<1>();
      block.sync();
      fetch(round + 2);
      const int other = (block.thread() + 7) % threads;  // what another thread has copied
      const auto four = device::load<4>(block.shared.stage[round % stages][other]);
      device::store(out + (round * threads + other) * 4, four);
    }
    copies.wait<0>();
  }
};

template <class T>
struct Narrow {
  static constexpr int threads = 32;
  using Shared = device::NoShared;
  const float* in;
  T* out;
  int count;
  TEMPER_DEVICE void operator()(device::Block<Narrow>& block) const {
    for (int i = block.thread(); i < count; i += threads)
      out[i] = device::narrow<T>(device::widen(device::narrow<T>(in[i])));
  }
};

template <Format F>
Outcome one_tile(device::Stream& stream) {
  constexpr int k = OneTile<F>::k;
  Numbers numbers(3);
  const auto round = [](float x) {
    return F == Format::bf16 ? to_float(to_bf16(x)) : F == Format::f16 ? to_float(to_f16(x)) : to_float(to_f16(x));
  };
  std::vector<float> a = numbers.many<float>(16 * k), b = numbers.many<float>(8 * k), c = numbers.many<float>(128);
  for (float& x : a) x = round(x);  // f16's values are tf32's, too
  for (float& x : b) x = round(x);
  device::Buffer<float> on_a(a), on_b(b), on_c(c);
  device::launch(stream, {}, OneTile<F>{on_a.data(), on_b.data(), on_c.data()});
  const std::vector<float> got = on_c.download(stream);
  Outcome outcome;
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 8; ++n) {
      double sum = number(c[at(m, 8, n)]), size = std::abs(sum);
      for (int i = 0; i < k; ++i) {
        const double product = number(a[at(m, k, i)]) * number(b[at(i, 8, n)]);
        sum += product;
        size += std::abs(product);
      }
      outcome.compare(number(got[at(m, 8, n)]), sum, size * (k + 1) * 0x1p-23);  // additions that may truncate
    }
  }
  return outcome;
}

template <class T>
Outcome narrows(device::Stream& stream) {
  std::vector<float> in = {0.0f,          -0.0f,           1.0f,    1.00390625f,
                           1.01171875f,   1e-40f,          3e38f,   65504.0f,
                           65519.0f,      65520.0f,        6e-8f,   5.9604645e-8f,
                           2.9802322e-8f, -2.98023224e-8f, 6.1e-5f, std::numeric_limits<float>::infinity()};
  Numbers numbers(8);
  for (int i = 0; i < 200; ++i) in.push_back(numbers.bell() * std::ldexp(1.0f, numbers.below(60) - 30));
  device::Buffer<float> on_in(in);
  device::Buffer<T> on_out(in.size());
  device::launch(stream, {}, Narrow<T>{on_in.data(), on_out.data(), static_cast<int>(in.size())});
  const std::vector<T> got = on_out.download(stream);
  Outcome outcome;
  for (std::size_t i = 0; i < in.size(); ++i) { outcome.compare(got[i].bits, rounded<T>(in[i]).bits, 0); }
  return outcome;
}

inline Outcome shuffles(device::Stream& stream, int what) {
  device::Buffer<float> out(64);
  device::launch(stream, {}, Shuffles{out.data(), what});
  const std::vector<float> got = out.download(stream);
  Outcome outcome;
  for (int t = 0; t < 64; ++t) {
    const int lane = t % 32, base = t - lane;
    const int expected = what == 0   ? base + (lane * 5 + 3) % 32
                         : what == 1 ? base + (lane ^ 9)
                         : what == 2 ? 32 * base + 31 * 16
                                     : 100;
    outcome.compare(number(got[at(t)]), expected, 0);
  }
  return outcome;
}

inline KernelCases device_cases() {
  using device::Stream;
  return {
      {"device: shuffle", [](Stream& s) { return shuffles(s, 0); }},
      {"device: shuffle_xor", [](Stream& s) { return shuffles(s, 1); }},
      {"device: warp_sum", [](Stream& s) { return shuffles(s, 2); }},
      {"device: warp_max", [](Stream& s) { return shuffles(s, 3); }},
      {"device: block_sum, six blocks",
       [](Stream& s) {
         device::Buffer<float> out(160 * 6);
         device::launch(s, {3, 2, 1}, BlockSum{out.data()});
         const std::vector<float> got = out.download(s);
         Outcome outcome;
         for (int i = 0; i < 160 * 6; ++i) outcome.compare(number(got[at(i)]), 159 * 80 + 160 * (i / 160), 0);
         return outcome;
       }},
      {"device: mma bf16", [](Stream& s) { return one_tile<Format::bf16>(s); }},
      {"device: mma f16", [](Stream& s) { return one_tile<Format::f16>(s); }},
      {"device: mma tf32", [](Stream& s) { return one_tile<Format::tf32>(s); }},
      {"device: load_matrix",
       [](Stream& s) {
         device::Buffer<std::uint32_t> out(256);
         device::launch(s, {}, Tiles{out.data()});
         const auto got = out.download(s);
         Outcome outcome;
         for (int l = 0; l < 32; ++l) {
           for (int i = 0; i < 4; ++i) {
             const int plain = (8 * i + l / 4) * 8 + l % 4 * 2, turned = (8 * i + l % 4 * 2) * 8 + l / 4;
             outcome.compare(got[at(l, 4, i)], plain | (plain + 1) << 16, 0);
             outcome.compare(got[at(l + 32, 4, i)], turned | (turned + 8) << 16, 0);
           }
         }
         return outcome;
       }},
      {"device: asynchronous copies in three stages",
       [](Stream& s) {
         const int count = 1403, rounds = 11;
         std::vector<std::uint32_t> in(at(count)), expected(at(rounds * 128));
         for (int i = 0; i < count; ++i) in[at(i)] = expected[at(i)] = static_cast<std::uint32_t>(i) * 2654435761u;
         device::Buffer<std::uint32_t> on_in(in), out(expected.size());
         device::launch(s, {}, Pipeline{on_in.data(), out.data(), count, rounds});
         Outcome outcome;
         outcome.equal(out.download(s), expected);
         return outcome;
       }},
      {"device: rounding to bf16", [](Stream& s) { return narrows<bf16>(s); }},
      {"device: rounding to f16", [](Stream& s) { return narrows<f16>(s); }},
  };
}

}  // namespace temper::test::kernels
