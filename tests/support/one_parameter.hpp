// SPDX-License-Identifier: MIT
// A single trained tensor with its optimizer state, for tests of update rules.
#pragma once
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "temper/backend/cpu.hpp"
#include "temper/core/layer.hpp"
#include "temper/core/memory.hpp"
#include "temper/optimizer/optimizer.hpp"

namespace temper_test {

using namespace temper;

template <class R>
struct OneParameter {
  using B = Cpu<double>;
  static constexpr Index scratch_bytes = 1 << 16;
  Threads stream{1};
  Memory<B> memory{Execution::running};
  Arena arena{memory.allocate<std::byte, 1>(Holder::scratch, {scratch_bytes}).data, scratch_bytes};
  Context<B> ctx{stream, arena, 1, Execution::running};
  const R rule;
  Parameter<B> p;
  typename R::template State<B> state;

  OneParameter(const R& r, std::vector<Index> shape, double value, double gradient, double rate_scale = 1) : rule(r) {
    const std::array<Index, 2> extents = {shape.size() == 2 ? shape[0] : 1, shape.back()};
    p.name = "p", p.shape = std::move(shape), p.rate_scale = rate_scale;
    p.value = memory.allocate<double, 2>(Holder::trained_weights, extents);
    p.gradient = memory.allocate<double, 2>(Holder::gradients, extents);
    std::fill_n(p.value.data, p.size(), value);
    std::fill_n(p.gradient.data, p.size(), gradient);
    state = rule.state(memory, p);
    state.visit([&](std::string_view, auto tensor) { zero(ctx, tensor); });
  }
  double after(StepInfo step) {
    rule.update(ctx, p, state, step);
    return p.value.data[0];
  }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    state.visit([&](std::string_view name, auto tensor) {
      all.emplace_back(name);
      CHECK(tensor.size() == p.size());
    });
    return all;
  }
  std::size_t state_bytes() const { return memory.bytes()[static_cast<std::size_t>(Holder::optimizer)]; }
};

}  // namespace temper_test
