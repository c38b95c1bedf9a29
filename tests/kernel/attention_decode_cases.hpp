// SPDX-License-Identifier: MIT
// Attention over a cache has the bits of AttentionForward, which attention_cases.hpp holds to double: the last tokens
// of each document, their keys and values in a cache, in pages that lie in no order. What the cache has besides is NaN.
#pragma once
#include "kernel/attention_cases.hpp"
#include "temper/kernel/attention_decode.cuh"

namespace temper::test::kernels {

struct Cached {
  Pack pack;
  int queries = 1;     // newest tokens of each document
  int page_bits = 31;  // below 31: pages of so many rows
};

template <int Width>
Outcome attention_decode(device::Stream& stream, const Cached& cached) {
  const Pack& pack = cached.pack;
  const int tokens = pack.offsets.back(), heads = pack.heads, sequences = static_cast<int>(pack.offsets.size()) - 1;
  const int q_columns = heads * Width, k_columns = pack.key_heads * Width, queries = cached.queries;
  Numbers numbers(static_cast<std::uint64_t>(tokens + heads));
  const auto q = numbers.many<bf16>(size_of(tokens, q_columns), pack.size),
             k = numbers.many<bf16>(size_of(tokens, k_columns), pack.size);
  const auto v = numbers.many<bf16>(size_of(tokens, k_columns));
  const float scale = 1 / std::sqrt(static_cast<float>(Width));
  const auto tiles = kernel::attention_tiles(pack.offsets);
  device::Buffer<bf16> on_q(q), on_k(k), on_v(v), all_y(q.size());
  device::Buffer<float> all_lse(size_of(tokens, heads));
  device::Buffer<kernel::AttentionTile> on_tiles(tiles);
  using Forward = kernel::AttentionForward<Width>;
  device::launch(stream, Forward::grid(tiles.size(), heads),
                 Forward{on_q.data(), on_k.data(), on_v.data(), all_y.data(), all_lse.data(), on_tiles.data(), heads,
                         pack.key_heads, scale, pack.scope});

  std::vector<std::int32_t> lengths, pages;
  int longest = 0;
  for (int s = 0; s < sequences; ++s) {
    lengths.push_back(pack.offsets[at(s + 1)] - pack.offsets[at(s)]);
    longest = std::max(longest, lengths.back());
  }
  // Pages from the last row backwards, and a gap in front; one page a sequence is as long as the longest.
  const bool paged = cached.page_bits < 31;
  const int page = paged ? 1 << cached.page_bits : longest, most = paged ? (longest + page - 1) / page : 1;
  const int rows = 3 + sequences * most * page;
  for (int i = 0; i < sequences * most; ++i) pages.push_back(rows - (i + 1) * page);
  const bf16 nothing{0x7fff};
  std::vector<bf16> cache_k(size_of(rows, k_columns), nothing), cache_v(cache_k), newest;
  for (int s = 0; s < sequences; ++s) {
    for (int i = 0; i < lengths[at(s)]; ++i) {
      const auto to = at(pages[at(s * most + i / page)] + i % page, k_columns, 0),
                 from = at(pack.offsets[at(s)] + i, k_columns, 0);
      for (int c = 0; c < k_columns; ++c) cache_k[to + at(c)] = k[from + at(c)], cache_v[to + at(c)] = v[from + at(c)];
    }
    for (int i = 0; i < queries; ++i) {
      const int row = pack.offsets[at(s + 1)] - queries + i;
      for (int c = 0; c < q_columns; ++c)
        newest.push_back(row < pack.offsets[at(s)] ? bf16{0x3f80} : q[at(row, q_columns, c)]);
    }
  }
  const kernel::DecodeShape shape{sequences, queries, heads, pack.key_heads, scale, pack.scope};
  using Decode = kernel::AttentionDecode<Width>;
  using Join = kernel::AttentionDecodeJoin<Width>;
  const int most_tiles = shape.tiles(longest, Decode::keys);
  device::Buffer<bf16> on_newest(newest), on_cache_k(cache_k), on_cache_v(cache_v), on_y(newest.size());
  device::Buffer<float> parts(kernel::DecodePart<Width>::count(shape, most_tiles));
  device::Buffer<float> on_lse(size_of(sequences * queries, heads));
  device::Buffer<std::int32_t> on_pages(pages), on_lengths(lengths);
  const kernel::KeyCache cache{on_cache_k.data(), on_cache_v.data(), on_pages.data(), on_lengths.data(), most,
                               cached.page_bits};
  device::launch(stream, Decode::grid(shape, most_tiles), Decode{on_newest.data(), cache, parts.data(), shape});
  device::launch(stream, Join::grid(shape), Join{cache, parts.data(), on_y.data(), on_lse.data(), shape, most_tiles});

  const auto y = on_y.download(stream), expected = all_y.download(stream);
  const auto lse = on_lse.download(stream), expected_lse = all_lse.download(stream);
  Outcome outcome;
  for (int s = 0; s < sequences; ++s) {
    for (int i = 0; i < queries; ++i) {
      const int row = pack.offsets[at(s + 1)] - queries + i, own = s * queries + i;
      const bool none = row < pack.offsets[at(s)];
      for (int c = 0; c < q_columns; ++c)
        outcome.compare(y[at(own, q_columns, c)].bits, none ? 0 : expected[at(row, q_columns, c)].bits, 0);
      for (int h = 0; h < heads; ++h)
        outcome.compare(number(lse[at(own, heads, h)]),
                        none ? -std::numeric_limits<double>::infinity() : number(expected_lse[at(row, heads, h)]), 0);
    }
  }
  return outcome;
}

inline KernelCases attention_decode_cases() {
  const Cached mixed{{{0, 1, 71, 76, 206}, 2, 1}}, ones{{{0, 1, 2, 3, 4}, 4, 2}};
  const Cached paged{{{0, 64, 129, 130, 150}, 4, 1}, 3, 4}, long_one{{{0, 330}, 1, 1, 3}};
  const Cached window{{{0, 9, 159}, 10, 1, 3, {40, 5}}, 2, 3}, empty{{{0, 0, 33, 33}, 2, 2}, 1, 5};
  const Cached capped{{{0, 70, 75}, 3, 1, 3, {0, 5}}, 2};
  return {
      {"attention_decode: width 64, sequences of 1, 70, 5 and 130",
       [=](device::Stream& s) { return attention_decode<64>(s, mixed); }},
      {"attention_decode: width 64, six tiles of one sequence, sharp",
       [=](device::Stream& s) { return attention_decode<64>(s, long_one); }},
      {"attention_decode: width 96, sequences of length 1",
       [=](device::Stream& s) { return attention_decode<96>(s, ones); }},
      {"attention_decode: width 128, three newest tokens, pages of 16",
       [=](device::Stream& s) { return attention_decode<128>(s, paged); }},
      {"attention_decode: width 80, twenty rows, a window of 40, capped scores, pages of 8",
       [=](device::Stream& s) { return attention_decode<80>(s, window); }},
      {"attention_decode: width 128, empty sequences",
       [=](device::Stream& s) { return attention_decode<128>(s, empty); }},
      {"attention_decode: width 256, capped scores",
       [=](device::Stream& s) { return attention_decode<256>(s, capped); }},
  };
}

}  // namespace temper::test::kernels
