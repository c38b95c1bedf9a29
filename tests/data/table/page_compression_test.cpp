// SPDX-License-Identifier: MIT
// Pages of every compression that is read, and pages that do not hold what their header says.
#include "temper/data/table/page_compression.hpp"
#include <doctest/doctest.h>

namespace temper::parquet::page_compression_test {

const std::string text = "a page of words, of words, of words, of words";

std::string compressed(Codec codec) {
  std::string bytes;
  if (codec == Codec::snappy) {
    snappy::Compress(text.data(), text.size(), &bytes);
  } else if (codec == Codec::zstd) {
    bytes.resize(ZSTD_compressBound(text.size()));
    bytes.resize(ZSTD_compress(bytes.data(), bytes.size(), text.data(), text.size(), 1));
  } else if (codec == Codec::gzip) {
    bytes.resize(200);
    uLongf size = bytes.size();
    REQUIRE(compress2(reinterpret_cast<Bytef*>(bytes.data()), &size, reinterpret_cast<const Bytef*>(text.data()),
                      text.size(), 6) == Z_OK);
    bytes.resize(size);
  } else {
    bytes = text;
  }
  return bytes;
}

TEST_CASE("page compression: what comes out has the size that was stated, or the file is damaged") {
  for (const Codec codec : {Codec::none, Codec::snappy, Codec::gzip, Codec::zstd}) {
    CAPTURE(static_cast<int>(codec));
    const std::string bytes = compressed(codec);
    std::string into(text.size(), '\0');
    decompress_page(codec, bytes, into, "c");
    CHECK(into == text);
    for (const std::size_t size : {text.size() - 1, text.size() + 1, std::size_t{0}}) {
      std::string other(size, '\0');
      CHECK_THROWS_WITH_AS(decompress_page(codec, bytes, other, "a.parquet: column 'x'"),
                           doctest::Contains("a.parquet: column 'x': does not decompress to the"), Error);
    }
    CHECK_THROWS_AS(decompress_page(codec, std::string_view(bytes).substr(0, bytes.size() - 1), into, "c"), Error);
    CHECK_THROWS_AS(decompress_page(codec, "", into, "c"), Error);
  }
}

TEST_CASE("page compression: numbers are those of the format, and what is not read is named") {
  CHECK(codec_of(0, "c") == Codec::none);
  CHECK(codec_of(6, "c") == Codec::zstd);
  for (const auto& [number, name] : {std::pair(3, "LZO"), std::pair(4, "BROTLI"), std::pair(5, "LZ4"),
                                     std::pair(7, "LZ4_RAW"), std::pair(8, "method 8"), std::pair(-1, "method -1")})
    CHECK_THROWS_WITH_AS(codec_of(number, "c"), doctest::Contains(name), Error);
}

TEST_CASE("page compression: a checksum is that of all parts in a row, and none is asked for where none is") {
  const std::string_view whole[] = {"123456789"}, parts[] = {"", "1234", "", "56789"}, other[] = {"123456788"};
  require_checksum(0xcbf43926u, whole, "c");  // the check value of this polynomial
  require_checksum(0xcbf43926u, parts, "c");
  require_checksum(std::nullopt, other, "c");
  CHECK_THROWS_WITH_AS(require_checksum(0xcbf43926u, other, "a.parquet: column 'x'"),
                       doctest::Contains("but its header says cbf43926; the file is damaged"), Error);
}

}  // namespace temper::parquet::page_compression_test
