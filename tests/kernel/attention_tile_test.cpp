// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "kernel/kernel_cases.hpp"
#include "temper/kernel/attention_tile.cuh"

namespace temper::test::kernels::attention_tile_test {

TEST_CASE("attention tiles: every row of every document once, the longest work first") {
  const std::vector<std::int32_t> offsets{0, 0, 1, 71, 200, 264};
  const auto tiles = kernel::attention_tiles(offsets);
  std::vector<int> times(264);
  int before = 1000;
  for (const kernel::AttentionTile& tile : tiles) {
    CHECK((tile.row - tile.begin) % kernel::attention_rows == 0);
    CHECK(tile.row - tile.begin <= before);
    before = tile.row - tile.begin;
    for (int row = tile.row; row < std::min(tile.row + kernel::attention_rows, tile.end); ++row) ++times[at(row)];
  }
  CHECK(times == std::vector<int>(264, 1));
  CHECK(kernel::attention_tiles({0}).empty());
  CHECK(kernel::attention_tiles({0, 0, 0}).empty());
}

TEST_CASE("attention scope: no tile that comes before is seen, and sixteen rows are told when one does not see a key") {
  for (const int window : {0, 1, 2, 40, 64, 65, 500, std::numeric_limits<int>::max()}) {
    CAPTURE(window);
    const kernel::AttentionScope scope{window, 0};
    for (const int row : {0, 64, 128, 256}) {
      const int first = scope.tiles_before({0, 300, row}, 64);
      for (int key = 0; key < first * 64; ++key) CHECK(scope.hidden(row, key));
      CHECK_FALSE(scope.hidden(row, std::min(row, first * 64 + 63)));
      for (int key = 0; key < 320; key += 32) {
        bool any = false;
        for (int r = row; r < row + 16; ++r)
          for (int k = key; k < key + 32; ++k) any = any || scope.hidden(r, k);
        if (any) CHECK(scope.hides(row, key, 32));
        const Index last = key + 31;
        CHECK(scope.hidden(row, key + 31) == (last > row || (window > 0 && last + window <= row)));
      }
    }
  }
}

TEST_CASE("attention join: a tile that is not seen leaves a row's bits alone") {
  const float nothing = -device::infinity();
  for (const float of_row : {nothing, -3.25f, 17.5f}) {
    float largest = of_row;
    const kernel::AttentionJoin join(largest, nothing);
    CHECK(largest == of_row);
    CHECK(join(of_row == nothing ? 0.0f : 0.3f, 0.0f) == (of_row == nothing ? 0.0f : 0.3f));
  }
  float largest = -3.25f;
  const kernel::AttentionJoin join(largest, -1.25f);
  CHECK(largest == -1.25f);
  CHECK(join(8.0f, 0.5f) == 2.5f);
}

}  // namespace temper::test::kernels::attention_tile_test
