// SPDX-License-Identifier: MIT
// First-fit packing against its definition, and that nothing is lost.
#include "temper/data/packing.hpp"
#include <doctest/doctest.h>
#include "temper/core/random.hpp"

#include <numeric>

namespace temper::packing_test {

using Packs = std::vector<std::vector<Index>>;

// The definition: try each pack in turn.
Packs first_fit(const std::vector<Index>& lengths, Index capacity) {
  Packs packs;
  std::vector<Index> room;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    std::size_t at = 0;
    while (at < packs.size() && room[at] < lengths[i]) ++at;
    if (at == packs.size()) {
      packs.emplace_back();
      room.push_back(capacity);
    }
    packs[at].push_back(static_cast<Index>(i));
    room[at] -= lengths[i];
  }
  return packs;
}

TEST_CASE("packing: each row goes into the first pack with room") {
  CHECK(pack_first_fit(std::vector<Index>{6, 5, 4, 5, 3}, 10) == Packs{{0, 2}, {1, 3}, {4}});
  CHECK(pack_first_fit(std::vector<Index>{10, 10}, 10) == Packs{{0}, {1}});
  CHECK(pack_first_fit(std::vector<Index>{}, 10).empty());
  for (std::uint32_t trial = 0; trial < 40; ++trial) {
    const Random random{trial, random_site("packing test"), 0};
    std::vector<Index> lengths(random.below(0, 300) + 1);
    for (std::size_t i = 0; i < lengths.size(); ++i) lengths[i] = 1 + static_cast<Index>(random.below(i + 1, 64));
    CHECK(pack_first_fit(lengths, 64) == first_fit(lengths, 64));
  }
}

TEST_CASE("packing: a row that no pack can hold is refused") {
  CHECK_THROWS_AS(pack_first_fit(std::vector<Index>{11}, 10), Error);
}

}  // namespace temper::packing_test
