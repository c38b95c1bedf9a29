// SPDX-License-Identifier: MIT
// What tests of single layers stand on: a builder without files, and a layer's forward pass on random rows.
#pragma once
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "temper/testing/gradient_check.hpp"

namespace temper_test {

using namespace temper;

template <class Real>
struct LayerBench {
  using B = Cpu<Real>;
  Memory<B> memory{Execution::running};
  Threads stream{1};
  Builder<B> build;
  std::vector<std::byte> block = std::vector<std::byte>(1 << 20);
  Arena arena{block.data(), block.size()};
  Context<B> ctx{stream, arena, 3, Execution::running};

  explicit LayerBench(std::uint64_t seed = 1, const WeightSource* source = nullptr)
      : build(memory, stream, source, seed, 0.3) {}

  static std::vector<Real> numbers(Index count, std::uint32_t site) {
    std::vector<Real> values(static_cast<std::size_t>(count));
    const Random random{5, site, 0};
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<Real>(2 * random.uniform(i) - 1);
    return values;
  }
  View<B, Real, 2> filled(Index rows, Index cols, std::uint32_t site) {
    const auto values = numbers(rows * cols, site);
    const auto view = scratch<Real>(ctx, rows, cols);
    std::copy(values.begin(), values.end(), view.data);
    return view;
  }

  // What a layer makes of fixed rows.
  template <class L>
  std::vector<Real> output(L& layer, Index rows, Index in, Index out) {
    const auto scope = ctx.scope();
    const auto keeping = ctx.keeping();
    const auto x = filled(rows, in, 1), y = filled(rows, out, 2);
    typename L::Saved saved{};
    layer.forward(ctx, x, into(y), saved);
    return {y.data, y.data + y.size()};
  }
};

template <class L>
std::vector<std::string> names_of(L& layer) {
  std::vector<std::string> names;
  layer.visit([&](const auto& p) { names.push_back(p.name); });
  return names;
}

}  // namespace temper_test
