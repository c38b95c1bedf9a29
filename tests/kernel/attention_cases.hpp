// SPDX-License-Identifier: MIT
// Attention against double. Bound: a score is a sum of Width products, each addition of which may truncate, and is then
// scaled, shifted and put into exp2, which an error of e in the exponent changes by a factor within exp(e); sum and
// product see that once each, and once more for each tile that is joined; p is rounded to bf16 in between, and sums
// over the keys may truncate.
#pragma once
#include <algorithm>

#include "kernel/kernel_cases.hpp"
#include "temper/kernel/attention.cuh"

namespace temper::test::kernels {

struct Pack {
  std::vector<std::int32_t> offsets;
  int heads, key_heads;
  float size = 1;  // of q and k: large ones make the softmax sharp
  kernel::AttentionScope scope{};

  bool sees(int row, int key) const { return key <= row && (scope.window == 0 || key > row - scope.window); }
  double capped(double score) const {
    const double cap = number(scope.cap);
    return cap > 0 ? cap * std::tanh(score / cap) : score;
  }
};

template <int Width>
Outcome attention_forward(device::Stream& stream, const Pack& pack) {
  const int tokens = pack.offsets.back(), heads = pack.heads, group = pack.heads / pack.key_heads;
  const int q_columns = heads * Width, k_columns = pack.key_heads * Width;
  Numbers numbers(static_cast<std::uint64_t>(tokens + heads));
  const auto q = numbers.many<bf16>(size_of(tokens, q_columns), pack.size),
             k = numbers.many<bf16>(size_of(tokens, k_columns), pack.size);
  const auto v = numbers.many<bf16>(size_of(tokens, k_columns));
  const auto tiles = kernel::attention_tiles(pack.offsets);
  const float scale = 1 / std::sqrt(static_cast<float>(Width));
  device::Buffer<bf16> on_q(q), on_k(k), on_v(v), on_y(q.size());
  device::Buffer<float> on_lse(size_of(tokens, heads));
  device::Buffer<kernel::AttentionTile> on_tiles(tiles);
  using Kernel = kernel::AttentionForward<Width>;
  device::launch(stream, Kernel::grid(tiles.size(), heads),
                 Kernel{on_q.data(), on_k.data(), on_v.data(), on_y.data(), on_lse.data(), on_tiles.data(), heads,
                        pack.key_heads, scale, pack.scope});
  const auto y = on_y.download(stream);
  const auto lse = on_lse.download(stream);
  const double u = 0x1p-24;
  Outcome outcome;
  for (int h = 0; h < heads; ++h) {
    for (std::size_t d = 0; d + 1 < pack.offsets.size(); ++d) {
      for (int row = pack.offsets[d]; row < pack.offsets[d + 1]; ++row) {
        const int begin = pack.offsets[d], window = pack.scope.window;
        const int first = window > 0 ? std::max(begin, row - window + 1) : begin, count = row - first + 1;
        std::vector<double> p(at(count));
        double highest = -1e300, terms = 0, largest = 0, sum = 0;
        for (int j = 0; j < count; ++j) {
          double score = 0, size = 0;
          for (int c = 0; c < Width; ++c) {
            const double product = number(q[at(row, q_columns, h * Width + c)]) *
                                   number(k[at(first + j, k_columns, h / group * Width + c)]);
            score += product;
            size += std::abs(product);
          }
          p[at(j)] = pack.capped(score * number(scale));
          terms = std::max(terms, size * number(scale));
          largest = std::max(largest, std::abs(p[at(j)]));
          highest = std::max(highest, p[at(j)]);
        }
        for (double& x : p) sum += x = std::exp(x - highest);
        const double exact_lse = highest + std::log(sum), steps = device::divide_up(count, 32) + 1;
        const double of_exponent =
            terms * Width * 0x1p-23 + (8 + 4 * steps) * u * (2 * largest + 1) + 16 * u * number(pack.scope.cap);
        outcome.compare(number(lse[at(row, heads, h)]), exact_lse,
                        of_exponent + count * 2 * u + 4 * u * std::abs(exact_lse));
        for (int c = 0; c < Width; ++c) {
          double value = 0, size = 0;
          for (int j = 0; j < count; ++j) {
            const double part = p[at(j)] / sum * number(v[at(first + j, k_columns, h / group * Width + c)]);
            value += part;
            size += std::abs(part);
          }
          const double inner = size * (2 * std::expm1(of_exponent) + 0x1p-8 + 2 * (count + 64) * 0x1p-23);
          outcome.compare(number(y[at(row, q_columns, h * Width + c)]), value,
                          1.01 * (inner + (std::abs(value) + inner) * 0x1p-8));
        }
      }
    }
  }
  return outcome;
}

// The same 70 tokens as a pack of their own, and behind 50 others: the same bits.
inline Outcome attention_alone_and_packed(device::Stream& stream) {
  constexpr int width = 64, before = 50, tokens = 70;
  Numbers numbers(4);
  const auto q = numbers.many<bf16>(size_of(before + tokens, width)), k = numbers.many<bf16>(q.size()),
             v = numbers.many<bf16>(q.size());
  device::Buffer<bf16> on_q(q), on_k(k), on_v(v), on_y(q), on_alone(size_of(tokens, width));
  device::Buffer<float> on_lse(at(before + tokens)), on_alone_lse(at(tokens));
  const auto run = [&](const std::vector<std::int32_t>& offsets, std::ptrdiff_t skipped, bf16* y, float* lse) {
    device::Buffer<kernel::AttentionTile> tiles(kernel::attention_tiles(offsets));
    using Kernel = kernel::AttentionForward<width>;
    device::launch(stream, Kernel::grid(tiles.size(), 1),
                   Kernel{on_q.data() + skipped * width, on_k.data() + skipped * width, on_v.data() + skipped * width,
                          y, lse, tiles.data(), 1, 1, 0.125f});
    stream.wait();
  };
  run({0, before, before + tokens}, 0, on_y.data(), on_lse.data());
  run({0, tokens}, before, on_alone.data(), on_alone_lse.data());
  const auto packed = on_y.download(stream), alone = on_alone.download(stream);
  Outcome outcome;
  for (std::size_t i = 0; i < alone.size(); ++i)
    outcome.compare(alone[i].bits, packed[i + size_of(before, width)].bits, 0);
  return outcome;
}

inline KernelCases attention_cases() {
  const Pack mixed{{0, 1, 71, 76, 206}, 2, 1}, ones{{0, 1, 2, 3, 4, 5, 6, 7}, 4, 2}, one_row{{0, 1}, 1, 1};
  const Pack even{{0, 128}, 3, 3, 4}, empty{{0, 0, 33, 33}, 2, 2};
  const Pack window{{0, 9, 159}, 2, 1, 3, {40, 5}}, narrow{{0, 9, 89}, 1, 1, 1, {2, 0}};
  const Pack few{{0, 1, 71, 76}, 2, 1}, bent{{0, 80}, 1, 1, 3, {40, 5}};
  return {
      {"attention: width 64, documents of 1, 70, 5 and 130",
       [=](device::Stream& s) { return attention_forward<64>(s, mixed); }},
      {"attention: width 64, documents of length 1", [=](device::Stream& s) { return attention_forward<64>(s, ones); }},
      {"attention: a document has the same bits alone and in a pack", attention_alone_and_packed},
      {"attention: width 64, one row", [=](device::Stream& s) { return attention_forward<64>(s, one_row); }},
      {"attention: width 64, two whole tiles, sharp",
       [=](device::Stream& s) { return attention_forward<64>(s, even); }},
      {"attention: width 64, a window of 40 and capped scores",
       [=](device::Stream& s) { return attention_forward<64>(s, window); }},
      {"attention: width 64, a window of 2, which ends where a tile does",
       [=](device::Stream& s) { return attention_forward<64>(s, narrow); }},
      {"attention: width 128, empty documents", [=](device::Stream& s) { return attention_forward<128>(s, empty); }},
      {"attention: width 80, documents of 1, 70 and 5",
       [=](device::Stream& s) { return attention_forward<80>(s, few); }},
      {"attention: width 96, documents of length 1", [=](device::Stream& s) { return attention_forward<96>(s, ones); }},
      {"attention: width 96, a window of 40 and capped scores",
       [=](device::Stream& s) { return attention_forward<96>(s, bent); }},
      {"attention: width 256, documents of 1, 70 and 5",
       [=](device::Stream& s) { return attention_forward<256>(s, few); }},
  };
}

}  // namespace temper::test::kernels
