// SPDX-License-Identifier: MIT
// Pages of a Parquet file, decompressed: snappy, gzip, zstd. The size that a page's header states is the size that must
// come out, and nothing larger is ever allocated. Where the header has a checksum, the bytes must have it too.
#pragma once
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include "temper/core/error.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace temper::parquet {

enum class Codec { none = 0, snappy = 1, gzip = 2, lzo = 3, brotli = 4, lz4 = 5, zstd = 6, lz4_raw = 7 };

inline Codec codec_of(int number, const std::string& what) {
  const char* const others[] = {"", "", "", "LZO", "BROTLI", "LZ4", "", "LZ4_RAW"};
  require(number >= 0 && number <= 7, Fault::data, "parquet.compression",
          "{}: is compressed by method {}, which is not known; expected none, snappy, gzip or zstd", what, number);
  require(*others[number] == '\0', Fault::data, "parquet.compression",
          "{}: is compressed with {}; expected none, snappy, gzip or zstd; write the file again with one of these",
          what, others[number]);
  return static_cast<Codec>(number);
}

inline bool inflate_page(std::string_view from, std::span<char> into) {
  z_stream stream{};
  // 32: gzip and zlib headers are told apart by themselves.
  if (inflateInit2(&stream, 15 + 32) != Z_OK) return false;
  const std::unique_ptr<z_stream, int (*)(z_stream*)> closing(&stream, &inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from.data()));
  stream.avail_in = static_cast<uInt>(from.size());
  stream.next_out = reinterpret_cast<Bytef*>(into.data());
  stream.avail_out = static_cast<uInt>(into.size());
  return ::inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0;
}

// Fills 'into', which is as large as the page's header says. Both are below 2 GiB.
inline void decompress_page(Codec codec, std::string_view from, std::span<char> into, const std::string& what) {
  bool good = false;
  if (codec == Codec::snappy) {
    std::size_t size = 0;
    good = snappy::GetUncompressedLength(from.data(), from.size(), &size) && size == into.size() &&
           snappy::RawUncompress(from.data(), from.size(), into.data());
  } else if (codec == Codec::gzip) {
    good = inflate_page(from, into);
  } else if (codec == Codec::zstd) {
    const std::size_t size = ZSTD_decompress(into.data(), into.size(), from.data(), from.size());
    good = ZSTD_isError(size) == 0 && size == into.size();
  } else {
    good = from.size() == into.size();
    if (good) from.copy(into.data(), into.size());
  }
  require(good, Fault::data, "parquet.decompress",
          "{}: does not decompress to the {} bytes that its header states; the file is damaged", what, into.size());
}

// 'parts' is the page as it stands in the file, one behind the other; each is below 2 GiB.
inline void require_checksum(std::optional<std::uint32_t> wanted, std::span<const std::string_view> parts,
                             const std::string& what) {
  if (!wanted) return;
  auto sum = ::crc32(0, nullptr, 0);
  for (const std::string_view part : parts)
    if (!part.empty())  // zlib takes no bytes at all for a wish to begin
      sum = ::crc32(sum, reinterpret_cast<const Bytef*>(part.data()), static_cast<uInt>(part.size()));
  require(sum == *wanted, Fault::data, "parquet.checksum",
          "{}: has checksum {:08x} but its header says {:08x}; the file is damaged", what, sum, *wanted);
}

}  // namespace temper::parquet
