// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/decode.hpp"

#include <doctest/doctest.h>

#include "support/coded_weights.hpp"

namespace decode_test {

using namespace temper_test;

TEST_CASE("decode: a stretch is what the whole decodes to, wherever it begins") {
  const OneWeight source(6, 200);
  for (const AnyStorage& storage : coded_storages()) {
    LayerBench<float> bench(1, &source);
    const auto w = storage.matrix(bench.build, "p", 6, 200);
    const auto all = decoded(w);
    for (const Index row : {0, 3, 5})
      for (const Index begin : {0, 1, 16, 63, 64, 100})
        for (const Index count : {1, 2, 15, 16, 17, 64, 99}) {
          std::vector<float> part(static_cast<std::size_t>(count));
          decode_stretch({static_cast<const std::uint8_t*>(w.data), w.codes, 200}, row * 200 + begin, count,
                         part.data());
          CHECK(std::equal(part.begin(), part.end(), all.begin() + row * 200 + begin));
        }
  }
}

TEST_CASE("decode: the norms of DoRA are those of the floats that the codes stand for") {
  const OneWeight source(9, 300);
  for (const AnyStorage& storage : coded_storages()) {
    LayerBench<float> bench(1, &source);
    const auto w = storage.matrix(bench.build, "p", 9, 300);
    const auto dense = decoded(w);
    const auto a = bench.filled(2, 300, 1), b = bench.filled(9, 2, 2);
    std::vector<float> first(9), second(9);
    dora_norms(bench.ctx, {first.data(), {9}}, w, a, b, 0.5f);
    dora_norms(bench.ctx, {second.data(), {9}}, {dense.data(), Element::f32, 9, 300}, a, b, 0.5f);
    CHECK(first == second);
  }
}

}  // namespace decode_test
