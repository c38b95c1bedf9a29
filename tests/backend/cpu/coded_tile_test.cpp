// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/coded_tile.hpp"

#include <doctest/doctest.h>

#include "support/coded_weights.hpp"

namespace coded_tile_test {

using namespace temper_test;

TEST_CASE("coded tile: each element is one chain over what the codes decode to, from zero or from what was there") {
  constexpr Index out = 70, first = 3;
  for (const Index in : {1088, 1216, 64, 199, 3}) {  // the last scales, chunk, step or word are cut short
    const OneWeight source(out, in);
    for (const AnyStorage& storage : coded_storages()) {
      LayerBench<float> bench(1, &source);
      const auto w = storage.matrix(bench.build, "p", out, in);
      if (w.codes.coding != Coding::int8 && in % weight_block != 0) continue;
      const auto dense = decoded(w);
      const CodedRows rows{static_cast<const std::uint8_t*>(w.data), w.codes, in};
      for (Index count = 1; count <= coded_rows; ++count)
        for (const Index cols : {out - first, Index{5}}) {  // tiles and a part of one; a part alone
          CAPTURE(in);
          CAPTURE(count);
          CAPTURE(cols);
          const Index stride = cols + 2;
          const auto a = LayerBench<float>::numbers(in * count, 1),
                     begun = LayerBench<float>::numbers(count * stride, 2);
          for (const Begin begin : {Begin::zero, Begin::from_c}) {
            auto c = begun;
            multiply_codes({rows, first, cols, a.data(), c.data(), stride, begin}, count);
            for (Index r = 0; r < count; ++r)
              for (Index j = 0; j < stride; ++j) {
                const auto at = static_cast<std::size_t>(r * stride + j);
                if (j >= cols) {
                  REQUIRE(c[at] == begun[at]);  // nobody's column
                  continue;
                }
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
}

}  // namespace coded_tile_test
