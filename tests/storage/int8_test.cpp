// SPDX-License-Identifier: MIT
#include "temper/storage/int8.hpp"

#include <doctest/doctest.h>

#include "support/coded_weights.hpp"
#include "temper/adapter/dora.hpp"

namespace int8_test {

using namespace temper_test;

TEST_CASE("int8: a byte an element and a float a row; each element within half a step of its row") {
  const OneWeight source(48, 200);
  LayerBench<float> bench(1, &source);
  const auto w = Int8{}.matrix(bench.build, "p", 48, 200);
  CHECK(w.bytes() == 9600 + 192);
  CHECK(bench.memory.bytes()[static_cast<std::size_t>(Holder::frozen_weights)] == 9728 + 256);
  const auto values = decoded(w);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float step = w.codes.scales(static_cast<Index>(i) / 200) / 127;
    CHECK(std::abs(values[i] - source.values()[i]) <= 0.5001f * step);
  }
}

TEST_CASE("int8: gradients of LoRA match central differences") {
  LayerBench<double> bench;
  auto layer = Lora<Int8>{.rank = 2, .alpha = 6}.linear(bench.build, "q_proj", {.in = 9, .out = 6, .bias = true});
  CHECK(layer.base.frozen.weight.codes.coding == Coding::int8);
  CHECK(check_layer(layer, 7, 9, 6).largest_error < 1e-7);
}

TEST_CASE("int8: a layer that is to be skipped stays dense, and must be one") {
  const OneWeight source(48, 200);
  LayerBench<float> bench(1, &source);
  CHECK(Int8{.skip = {"p"}}.matrix(bench.build, "p", 48, 200).codes.coding == Coding::dense);
  CHECK_THROWS_AS((Int8{.skip = {"q"}}.check_names({.all = {"p"}, .projections = {"p"}})), Error);
}

}  // namespace int8_test
