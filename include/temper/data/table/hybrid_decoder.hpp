// SPDX-License-Identifier: MIT
// The format's RLE and bit-packing hybrid: levels, dictionary indices and booleans. Runs are read as they are asked
// for, so a run of a billion takes no memory. Values are at most 32 bits wide.
#pragma once
#include "temper/core/types.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace temper::parquet {

class HybridDecoder {
 public:
  HybridDecoder() = default;
  HybridDecoder(std::string_view bytes, unsigned width) : bytes_(bytes), width_(width) {}

  // False: the bytes are used up, or are not of this encoding.
  bool next(std::uint32_t& value) {
    while (repeats_ == 0 && packed_ == 0)
      if (!next_run()) return false;
    if (repeats_ > 0) {
      --repeats_;
      value = repeated_;
      return true;
    }
    --packed_;
    value = packed_value();
    return true;
  }

 private:
  bool next_run() {
    std::uint64_t header = 0;
    unsigned shift = 0;
    while (true) {
      if (bytes_.empty() || shift > 35) return false;
      const auto part = static_cast<unsigned char>(bytes_[0]);
      bytes_.remove_prefix(1);
      header |= static_cast<std::uint64_t>(part & 0x7f) << shift;
      shift += 7;
      if (part < 0x80) break;
    }
    if ((header & 1) != 0) {
      const std::uint64_t groups = header >> 1;  // of eight values, hence of width bytes each
      if (width_ == 0) {
        repeated_ = 0;
        repeats_ = groups * 8;
        return true;
      }
      // The last group may be cut short where its values are not needed.
      const std::uint64_t size = std::min<std::uint64_t>(groups * width_, bytes_.size());
      run_ = bytes_.substr(0, static_cast<std::size_t>(size));
      bytes_.remove_prefix(static_cast<std::size_t>(size));
      bit_ = 0;
      packed_ = std::min<std::uint64_t>(groups * 8, size * 8 / width_);
      return true;
    }
    repeats_ = header >> 1;
    repeated_ = 0;
    const std::size_t size = (width_ + 7) / 8;
    if (bytes_.size() < size) return false;
    for (std::size_t i = 0; i < size; ++i)
      repeated_ |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes_[i])) << (8 * i);
    bytes_.remove_prefix(size);
    return true;
  }

  std::uint32_t packed_value() {
    const std::size_t first = bit_ / 8, count = std::min<std::size_t>(8, run_.size() - first);
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < count; ++i)
      bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(run_[first + i])) << (8 * i);
    const std::uint64_t value = bits >> (bit_ % 8) & ((std::uint64_t{1} << width_) - 1);
    bit_ += width_;
    return static_cast<std::uint32_t>(value);
  }

  std::string_view bytes_, run_;
  unsigned width_ = 0;
  std::uint64_t repeats_ = 0, packed_ = 0;  // what is left of the run
  std::uint32_t repeated_ = 0;
  std::size_t bit_ = 0;  // of the next packed value, in run_
};

}  // namespace temper::parquet
