// SPDX-License-Identifier: MIT
// Embedding rows are copies; their gradient is, bit for bit, the sum in float in the order of tokens.
#pragma once
#include "kernel/kernel_cases.hpp"
#include "temper/kernel/embedding.cuh"

namespace temper::test::kernels {

template <class T>
Outcome embedding(device::Stream& stream, int tokens, int vocabulary, int columns) {
  Numbers numbers(static_cast<std::uint64_t>(tokens * 100 + columns));
  const auto table = numbers.many<T>(size_of(vocabulary, columns)), dy = numbers.many<T>(size_of(tokens, columns));
  auto dtable = numbers.many<float>(table.size());
  std::vector<std::int32_t> ids(at(tokens));
  for (auto& id : ids) id = numbers.below(vocabulary);
  const kernel::TokensOfIds sorted(ids);
  device::Buffer<T> on_table(table), on_y(dy.size()), on_dy(dy);
  device::Buffer<float> on_dtable(dtable);
  device::Buffer<std::int32_t> on_ids(ids), unique(sorted.ids), first(sorted.first), order(sorted.order);
  device::launch(stream, {tokens, 1, 1},
                 kernel::EmbeddingGather<T>{on_table.data(), on_ids.data(), on_y.data(), columns});
  device::launch(
      stream, {static_cast<int>(sorted.ids.size()), 1, 1},
      kernel::EmbeddingScatter<T>{on_dy.data(), unique.data(), first.data(), order.data(), on_dtable.data(), columns});
  const auto y = on_y.download(stream);
  Outcome outcome;
  std::vector<float> sum(table.size());
  for (int t = 0; t < tokens; ++t) {
    for (int c = 0; c < columns; ++c) {
      const std::size_t from = at(ids[at(t)], columns, c);
      outcome.compare(number(y[at(t, columns, c)]), number(table[from]), 0);
      sum[from] += static_cast<float>(number(dy[at(t, columns, c)]));
    }
  }
  for (std::size_t i = 0; i < sum.size(); ++i) dtable[i] += sum[i];
  outcome.equal(on_dtable.download(stream), dtable);
  return outcome;
}

inline KernelCases embedding_cases() {
  using device::Stream;
  return {
      {"embedding: bf16, 60 tokens of 7 words", [](Stream& s) { return embedding<bf16>(s, 60, 7, 72); }},
      {"embedding: float, most words never", [](Stream& s) { return embedding<float>(s, 5, 50, 1032); }},
      {"embedding: bf16, rows that are not aligned", [](Stream& s) { return embedding<bf16>(s, 20, 4, 45); }},
      {"embedding: one token", [](Stream& s) { return embedding<bf16>(s, 1, 1, 8); }},
  };
}

}  // namespace temper::test::kernels
