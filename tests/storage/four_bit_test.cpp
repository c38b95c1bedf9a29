// SPDX-License-Identifier: MIT
#include "temper/storage/four_bit.hpp"

#include <cmath>

#include <doctest/doctest.h>

namespace temper::four_bit_test {

TEST_CASE("four_bit: the thresholds of the two ways to nf4 are the same or neighbours") {
  int different = 0;
  for (std::size_t i = 0; i < nf4_midpoints.size(); ++i) {
    const float middle = nf4_midpoints[i], threshold = nf4_cuda_thresholds[i];
    different += threshold == middle ? 0 : 1;
    CHECK((threshold == middle || threshold == std::nextafter(middle, threshold)));
    CHECK((nf4_table[i] < threshold && threshold < nf4_table[i + 1]));
  }
  CHECK(different == 4);
}

TEST_CASE("four_bit: fp4 has each magnitude twice, the sign in the highest bit, and the codes in order of magnitude") {
  for (std::size_t code = 0; code < 8; ++code) CHECK(fp4_table[code + 8] == -fp4_table[code]);
  for (std::size_t i = 0; i + 1 < fp4_codes.size(); ++i) CHECK(fp4_table[fp4_codes[i]] < fp4_table[fp4_codes[i + 1]]);
}

}  // namespace temper::four_bit_test
