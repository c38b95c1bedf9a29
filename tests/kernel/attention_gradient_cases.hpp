// SPDX-License-Identifier: MIT
// Gradients of attention against double, from the same y and lse. Bound, for each score: its error is that of a sum of
// Width products, each addition of which may truncate, and changes p by a factor within exp of it; dp and d are such
// sums, too; p and ds are rounded to bf16 for their products, whose sums may truncate.
#pragma once
#include "kernel/attention_cases.hpp"
#include "temper/kernel/attention_gradient.cuh"

namespace temper::test::kernels {

// A gradient with its bound, summed in double; 'terms' additions, and a scale at the end.
struct BoundedSum {
  double value = 0, size = 0, error = 0;
  void add(double x, double error_of_x, double y) {
    value += x * y;
    size += std::abs(x * y);
    error += error_of_x * std::abs(y);
  }
  void compare(Outcome& outcome, bf16 found, double scale, int terms) const {
    const double inner = scale * (error + (size + error) * (terms + 128) * 0x1p-23);
    outcome.compare(number(found), scale * value, 1.01 * (inner + (std::abs(scale * value) + inner) * 0x1p-8) + 1e-30);
  }
};

template <int Width>
Outcome attention_gradient(device::Stream& stream, const Pack& pack) {
  const int tokens = pack.offsets.back(), heads = pack.heads, group = pack.heads / pack.key_heads;
  const int q_columns = heads * Width, k_columns = pack.key_heads * Width;
  Numbers numbers(static_cast<std::uint64_t>(tokens + heads));
  const auto q = numbers.many<bf16>(size_of(tokens, q_columns), pack.size),
             k = numbers.many<bf16>(size_of(tokens, k_columns), pack.size);
  const auto v = numbers.many<bf16>(size_of(tokens, k_columns)), dy = numbers.many<bf16>(q.size());
  const float scale = 1 / std::sqrt(static_cast<float>(Width));
  const auto of_q = [&](const std::vector<bf16>& x, int row, int h, int c) {
    return number(x[at(row, q_columns, h * Width + c)]);
  };
  const auto of_k = [&](const std::vector<bf16>& x, int row, int h, int c) {
    return number(x[at(row, k_columns, h / group * Width + c)]);
  };
  const auto over_rows = [&](const auto& work) {  // work(head, row, first key that it may see)
    for (int h = 0; h < heads; ++h)
      for (std::size_t d = 0; d + 1 < pack.offsets.size(); ++d)
        for (int row = pack.offsets[d]; row < pack.offsets[d + 1]; ++row) work(h, row, pack.offsets[d]);
  };
  struct Score {
    double value = 0, size = 0;
  };
  const auto score_of = [&](int h, int row, int key) {
    Score s;
    for (int c = 0; c < Width; ++c) {
      const double product = of_q(q, row, h, c) * of_k(k, key, h, c) * number(scale);
      s.value += product;
      s.size += std::abs(product);
    }
    return s;
  };
  std::vector<bf16> y(q.size());
  std::vector<float> lse(size_of(tokens, heads));
  over_rows([&](int h, int row, int first) {
    double sum = 0;
    std::vector<double> value(Width);
    for (int key = first; key <= row; ++key) {
      if (!pack.sees(row, key)) continue;
      const double e = std::exp(pack.capped(score_of(h, row, key).value));  // small enough for double
      sum += e;
      for (int c = 0; c < Width; ++c) value[at(c)] += e * of_k(v, key, h, c);
    }
    lse[at(row, heads, h)] = static_cast<float>(std::log(sum));
    for (int c = 0; c < Width; ++c)
      y[at(row, q_columns, h * Width + c)] = to_bf16(static_cast<float>(value[at(c)] / sum));
  });

  const auto tiles = kernel::attention_tiles(pack.offsets);
  device::Buffer<bf16> on_q(q), on_k(k), on_v(v), on_y(y), on_dy(dy), on_dq(q.size()), on_dk(k.size()), on_dv(k.size());
  device::Buffer<float> on_lse(lse), on_d(lse.size());
  device::Buffer<kernel::AttentionTile> on_tiles(tiles);
  const kernel::AttentionInputs inputs{on_q.data(), on_k.data(), on_v.data(),    on_dy.data(), on_lse.data(),
                                       on_d.data(), heads,       pack.key_heads, scale,        pack.scope};
  using Sums = kernel::AttentionRowSums<Width>;
  using Query = kernel::AttentionQueryGradient<Width>;
  using Key = kernel::AttentionKeyGradient<Width>;
  const Index rows = Index{tokens} * heads;
  device::launch(stream, Sums::grid(rows), Sums{on_y.data(), on_dy.data(), on_d.data(), rows});
  device::launch(stream, Query::grid(tiles.size(), heads), Query{inputs, on_dq.data(), on_tiles.data()});
  device::launch(stream, Key::grid(tiles.size(), pack.key_heads),
                 Key{inputs, on_dk.data(), on_dv.data(), on_tiles.data()});
  const auto dq = on_dq.download(stream), dk = on_dk.download(stream), dv = on_dv.download(stream);

  const double u = 0x1p-24, cap = number(pack.scope.cap);
  Outcome outcome;
  std::vector<BoundedSum> sum_k(k.size()), sum_v(k.size());
  over_rows([&](int h, int row, int first) {
    double d = 0, d_size = 0;
    for (int c = 0; c < Width; ++c) {
      const double product = of_q(y, row, h, c) * of_q(dy, row, h, c);
      d += product;
      d_size += std::abs(product);
    }
    std::vector<BoundedSum> sum_q(Width);
    for (int key = first; key <= row; ++key) {
      if (!pack.sees(row, key)) continue;
      const Score raw = score_of(h, row, key);
      const double score = pack.capped(raw.value), row_lse = number(lse[at(row, heads, h)]);
      const double of_raw = raw.size * Width * 0x1p-23;
      const double of_exponent = of_raw + 8 * u * (std::abs(score) + std::abs(row_lse) + 1) + 16 * u * cap;
      const double p = std::exp(score - row_lse), p_error = p * std::expm1(of_exponent);
      double dp = 0, dp_size = 0;
      for (int c = 0; c < Width; ++c) {
        const double product = of_q(dy, row, h, c) * of_k(v, key, h, c);
        dp += product;
        dp_size += std::abs(product);
      }
      const double bend = cap > 0 ? score / cap : 0.0, slope = 1 - bend * bend;
      const double bend_error = cap > 0 ? 2 * (of_raw / cap + 18 * u) : 0.0;
      const double difference_error = (dp_size + d_size) * Width * 0x1p-23 + u * std::abs(dp - d);
      const double ds = p * (dp - d) * slope;
      const double of_difference = (p + p_error) * difference_error * (slope + bend_error);
      const double ds_error = of_difference + p_error * std::abs(dp - d) * (slope + bend_error) +
                              p * std::abs(dp - d) * bend_error + 6 * u * std::abs(ds);
      const double p_rounded = p_error + (p + p_error) * 0x1p-8;
      const double ds_rounded = ds_error + (std::abs(ds) + ds_error) * 0x1p-8;
      for (int c = 0; c < Width; ++c) {
        const std::size_t to = at(key, k_columns, h / group * Width + c);
        sum_q[at(c)].add(ds, ds_rounded, of_k(k, key, h, c));
        sum_k[to].add(ds, ds_rounded, of_q(q, row, h, c));
        sum_v[to].add(p, p_rounded, of_q(dy, row, h, c));
      }
    }
    for (int c = 0; c < Width; ++c)
      sum_q[at(c)].compare(outcome, dq[at(row, q_columns, h * Width + c)], number(scale), tokens);
  });
  for (std::size_t i = 0; i < sum_k.size(); ++i) {
    sum_k[i].compare(outcome, dk[i], number(scale), tokens * group);
    sum_v[i].compare(outcome, dv[i], 1, tokens * group);
  }
  return outcome;
}

inline KernelCases attention_gradient_cases() {
  const Pack mixed{{0, 1, 71, 71, 76}, 2, 1}, ones{{0, 1, 2, 3}, 4, 2}, whole{{0, 64}, 1, 1, 3};
  const Pack window{{0, 9, 89}, 2, 1, 3, {40, 5}}, narrow{{0, 9, 89}, 1, 1, 1, {2, 0}}, wide{{0, 33, 40}, 1, 1};
  const Pack bent{{0, 50}, 2, 1, 2, {20, 5}};
  return {
      {"attention_gradient: width 64, documents of 1, 70, 0 and 5, two heads of one key head",
       [=](device::Stream& s) { return attention_gradient<64>(s, mixed); }},
      {"attention_gradient: width 64, documents of length 1",
       [=](device::Stream& s) { return attention_gradient<64>(s, ones); }},
      {"attention_gradient: width 64, a whole tile, sharp",
       [=](device::Stream& s) { return attention_gradient<64>(s, whole); }},
      {"attention_gradient: width 64, a window of 40 and capped scores",
       [=](device::Stream& s) { return attention_gradient<64>(s, window); }},
      {"attention_gradient: width 64, a window of 2, which ends where a tile does",
       [=](device::Stream& s) { return attention_gradient<64>(s, narrow); }},
      {"attention_gradient: width 128, documents of 33 and 7",
       [=](device::Stream& s) { return attention_gradient<128>(s, wide); }},
      {"attention_gradient: width 80, documents of 33 and 7",
       [=](device::Stream& s) { return attention_gradient<80>(s, wide); }},
      {"attention_gradient: width 96, documents of length 1",
       [=](device::Stream& s) { return attention_gradient<96>(s, ones); }},
      {"attention_gradient: width 256, documents of 33 and 7",
       [=](device::Stream& s) { return attention_gradient<256>(s, wide); }},
      {"attention_gradient: width 256, two heads of one key head, a window of 20 and capped scores",
       [=](device::Stream& s) { return attention_gradient<256>(s, bent); }},
  };
}

}  // namespace temper::test::kernels
