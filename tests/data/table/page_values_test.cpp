// SPDX-License-Identifier: MIT
// Values of a page, by encoding and kind; pages that end early or point beyond their dictionary.
#include "temper/data/table/page_values.hpp"
#include <doctest/doctest.h>

namespace temper::parquet::page_values_test {

const std::vector<Value> none;

std::vector<std::uint64_t> bits_of(PageValues values) {
  std::vector<std::uint64_t> all;
  for (Value value; values.next(value); value = {}) all.push_back(value.bits);
  return all;
}
std::vector<std::string> texts_of(PageValues values) {
  std::vector<std::string> all;
  for (Value value; values.next(value); value = {}) all.emplace_back(value.text);
  return all;
}
using Bits = std::vector<std::uint64_t>;
using Texts = std::vector<std::string>;

TEST_CASE("page values: plain numbers are little-endian, four or eight bytes; what is left over is no value") {
  const std::string bytes("\x01\0\0\0\xff\xff\xff\xff\x02", 9);
  CHECK(bits_of(PageValues(bytes, 0, ValueKind::int32, none, "c")) == Bits{1, 0xffffffffu});
  CHECK(bits_of(PageValues(bytes, 0, ValueKind::int64, none, "c")) == Bits{0xffffffff00000001u});
  CHECK(bits_of(PageValues(bytes, 0, ValueKind::real64, none, "c")).size() == 1);
}

TEST_CASE("page values: plain booleans are bits from the lowest, eight a byte") {
  CHECK(bits_of(PageValues("\x05", 0, ValueKind::boolean, none, "c")) == Bits{1, 0, 1, 0, 0, 0, 0, 0});
  // As runs: four bytes of length, then three times true.
  CHECK(bits_of(PageValues(std::string("\x02\0\0\0\x06\x01", 6), 3, ValueKind::boolean, none, "c")) == Bits{1, 1, 1});
  CHECK(bits_of(PageValues("\x02", 3, ValueKind::boolean, none, "c")).empty());
}

TEST_CASE("page values: plain texts have their length before them, which is never believed") {
  CHECK(texts_of(PageValues(std::string("\x02\0\0\0ab\0\0\0\0", 10), 0, ValueKind::text, none, "c")) ==
        Texts{"ab", ""});
  CHECK(texts_of(PageValues(std::string("\x03\0\0\0ab", 6), 0, ValueKind::text, none, "c")).empty());
  CHECK(texts_of(PageValues("\xff\xff\xff\xff", 0, ValueKind::text, none, "c")).empty());
}

TEST_CASE("page values: indices point into the dictionary, and not beyond") {
  const std::vector<Value> dictionary = {{"a", 0}, {"b", 0}};
  const PageValues values("\x01\x03\x06", 8, ValueKind::text, dictionary, "c");  // one bit: eight packed, 0110 0000
  CHECK(values.known_text());
  CHECK(texts_of(values) == Texts{"a", "b", "b", "a", "a", "a", "a", "a"});
  CHECK(texts_of(PageValues("\x02\x04\x02", 2, ValueKind::text, dictionary, "c")).empty());  // twice the third
  CHECK(texts_of(PageValues("", 8, ValueKind::text, dictionary, "c")).empty());
}

TEST_CASE("page values: other encodings are refused by name") {
  for (const auto& [encoding, name] : {std::pair(5, "DELTA_BINARY_PACKED"), std::pair(9, "BYTE_STREAM_SPLIT"),
                                       std::pair(3, "RLE"), std::pair(-1, "not known")})
    CHECK_THROWS_WITH_AS(PageValues("", encoding, ValueKind::int32, none, "a.parquet: column 'x'"),
                         doctest::Contains(name), Error);
  CHECK_THROWS_WITH_AS(PageValues("\x21", 8, ValueKind::text, none, "c"), doctest::Contains("indices of 33 bits"),
                       Error);
}

}  // namespace temper::parquet::page_values_test
