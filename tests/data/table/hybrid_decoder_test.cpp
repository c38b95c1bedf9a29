// SPDX-License-Identifier: MIT
#include "temper/data/table/hybrid_decoder.hpp"
#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace temper::parquet::hybrid_decoder_test {

using std::string_literals::operator""s;

std::vector<std::uint32_t> values_of(const std::string& bytes, unsigned width, std::size_t most = 100) {
  HybridDecoder decoder(bytes, width);
  std::vector<std::uint32_t> values;
  for (std::uint32_t value = 0; values.size() < most && decoder.next(value);) values.push_back(value);
  return values;
}
using Values = std::vector<std::uint32_t>;

TEST_CASE("hybrid decoder: the example of the format's specification, 0 to 7 in three bits each") {
  CHECK(values_of("\x03\x88\xc6\xfa"s, 3) == Values{0, 1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE("hybrid decoder: runs of one value, of every width, between packed ones") {
  CHECK(values_of("\x08\x01\x04\x00"s, 1) == Values{1, 1, 1, 1, 0, 0});
  CHECK(values_of("\x04\x2c\x01\x03\x88\xc6\xfa"s, 9, 3) == Values{300, 300, 0x88 + 0x0});
  CHECK(values_of("\x02\xff\xff\xff\xff"s, 32) == Values{0xffffffffu});
  CHECK(values_of("\x06"s, 0) == Values{0, 0, 0});
  CHECK(values_of("\x03"s, 0) == Values(8, 0));
}

TEST_CASE("hybrid decoder: what is cut ends it, and a run of a billion costs nothing") {
  CHECK(values_of("", 3).empty());
  CHECK(values_of("\x08"s, 1).empty());
  CHECK(values_of("\xff\xff\xff\xff\xff\xff\xff"s, 1).empty());
  CHECK(values_of("\x03\x88"s, 3) == Values{0, 1});
  CHECK(values_of("\x00\x00\x00\x01"s, 1).empty());
  CHECK(values_of("\xfe\xff\xff\xff\x7f\x01"s, 1).size() == 100);
  CHECK(values_of("\xff\xff\xff\xff\x7f\x01"s, 1).size() == 8);
}

}  // namespace temper::parquet::hybrid_decoder_test
