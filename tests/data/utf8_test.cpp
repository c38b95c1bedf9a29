// SPDX-License-Identifier: MIT
#include "temper/data/utf8.hpp"
#include <doctest/doctest.h>

#include <string>

namespace temper::utf8_test {

TEST_CASE("utf8: the first byte of no character is found wherever it stands") {
  CHECK(invalid_utf8("") == 0);
  CHECK(invalid_utf8("plain text, longer than eight bytes") == 35);
  const std::string mixed =
      "a\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x98\x80"
      "b";
  CHECK(invalid_utf8(mixed) == mixed.size());
  for (std::size_t before = 0; before < 20; ++before)
    for (const char* wrong : {"\xff", "\xc3", "\xed\xa0\x80", "\xc0\x80", "\x80", "\xf5\x80\x80\x80"})
      CHECK(invalid_utf8(std::string(before, 'x') + wrong + "yyyyyyyyyyyy") == before);
}

}  // namespace temper::utf8_test
