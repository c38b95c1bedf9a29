// SPDX-License-Identifier: MIT
#include "temper/storage/fp4.hpp"

#include <doctest/doctest.h>

#include "support/coded_weights.hpp"

namespace fp4_test {

using namespace temper_test;

TEST_CASE("fp4: a matrix is held in the bytes of its codes and scales, and decodes to its own 16 values") {
  const OneWeight source(48, 200);
  for (const bool nested : {false, true}) {
    LayerBench<float> bench(1, &source);
    const auto w = Fp4{.double_quantized = nested}.matrix(bench.build, "p", 48, 200);
    CHECK(w.codes.coding == Coding::fp4);
    CHECK(w.bytes() == (nested ? 4800 + 150 + 4 : 4800 + 600));
    const auto values = decoded(w);
    for (std::size_t i = 0; i < values.size(); i += 37) {
      const float share = values[i] / w.codes.scales(static_cast<Index>(i) / weight_block);
      const bool known =
          std::any_of(fp4_table.begin(), fp4_table.end(), [&](float value) { return std::abs(share - value) < 1e-6f; });
      CHECK(known);
    }
  }
}

TEST_CASE("fp4: a layer that is to be skipped stays dense, and must be one") {
  const OneWeight source(48, 200);
  LayerBench<float> bench(1, &source);
  CHECK(Fp4{.skip = {"p"}}.matrix(bench.build, "p", 48, 200).codes.coding == Coding::dense);
  CHECK_THROWS_AS((Fp4{.skip = {"q"}}.check_names({.all = {"p"}, .projections = {"p"}})), Error);
}

}  // namespace fp4_test
