// SPDX-License-Identifier: MIT
// Host memory that tells of bad accesses. It is poison, all bits set, until it is written: NaN in every float format,
// -1 in integers. Under the address sanitizer it is exactly as long as it is asked for; without, a rim lies behind it,
// NaN as well but unlike poison, and rim_broken_at() tells where that was written.
#pragma once
#include <cstdlib>
#include <cstring>

#include "temper/core/error.hpp"
#include "temper/device/sanitizers.hpp"

namespace temper::device {

class RimmedMemory {
 public:
  explicit RimmedMemory(std::size_t bytes) : bytes_(bytes) {
    require(posix_memalign(&memory_, 256, bytes + rim) == 0, Fault::out_of_memory, "kernel.memory",
            "no memory for {} bytes", bytes);
    if (bytes > 0) std::memset(memory_, 0xff, bytes);
    for (std::size_t i = 0; i < rim; ++i) static_cast<unsigned char*>(memory_)[bytes + i] = rim_byte(i);
  }
  ~RimmedMemory() { std::free(memory_); }
  RimmedMemory(const RimmedMemory&) = delete;
  RimmedMemory& operator=(const RimmedMemory&) = delete;

  void* data() const { return memory_; }
  std::size_t bytes() const { return bytes_; }

  // How many bytes past the end something was written; -1 when nothing was.
  std::ptrdiff_t rim_broken_at() const {
    const auto* end = static_cast<const unsigned char*>(memory_) + bytes_;
    for (std::size_t i = 0; i < rim; ++i)
      if (end[i] != rim_byte(i)) return static_cast<std::ptrdiff_t>(i);
    return -1;
  }

 private:
  static constexpr std::size_t rim = watch::addresses ? 0 : 256;
  static constexpr unsigned char rim_byte(std::size_t i) { return i % 2 == 0 ? 0xfe : 0xff; }
  std::size_t bytes_;
  void* memory_ = nullptr;
};

}  // namespace temper::device
