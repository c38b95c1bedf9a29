// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/coded_tile.hpp"

#include <doctest/doctest.h>

#include "support/coded_weights.hpp"

namespace coded_tile_test {

using namespace temper_test;

TEST_CASE("coded tile: each element is one chain over what the codes decode to, from zero or from what was there") {
  constexpr Index out = 70, in = 1088;  // the last block of scales is cut short
  const OneWeight source(out, in);
  for (const AnyStorage& storage : coded_storages()) {
    LayerBench<float> bench(1, &source);
    const auto w = storage.matrix(bench.build, "p", out, in);
    const auto dense = decoded(w);
    const CodedRows rows{static_cast<const std::uint8_t*>(w.data), w.codes, in};
    for (Index count = 1; count <= coded_rows; ++count)
      for (Index vectors = 1; vectors <= coded_vectors(count); vectors *= 2) {
        CAPTURE(count);
        CAPTURE(vectors);
        const Index width = vectors * lanes, first = 3, there = std::min(width - 1, out - first);
        const auto a = LayerBench<float>::numbers(in * count, 1), begun = LayerBench<float>::numbers(count * width, 2);
        for (const Begin begin : {Begin::zero, Begin::from_c}) {
          auto c = begun;
          coded_tile(w.codes.coding, count, vectors)(rows, first, there, a.data(), c.data(), width, begin);
          for (Index r = 0; r < count; ++r)
            for (Index j = 0; j < there; ++j) {
              const auto at = static_cast<std::size_t>(r * width + j);
              Floats sum = broadcast(begin == Begin::zero ? 0 : begun[at]);
              for (Index k = 0; k < in; ++k)
                sum = fma(broadcast(a[static_cast<std::size_t>(k * count + r)]),
                          broadcast(dense[static_cast<std::size_t>((first + j) * in + k)]), sum);
              const float expected = sum[0];
              REQUIRE(c[at] == expected);
            }
        }
      }
  }
}

TEST_CASE("coded tile: what is fetched ahead is further on in the row, or begins one of the next rows") {
  CHECK(bytes_ahead(0, 2048, 64) == 512);
  CHECK(bytes_ahead(1536, 2048, 64) == 512 + 63 * 2048);  // row + 64 rows, byte 0
}

}  // namespace coded_tile_test
