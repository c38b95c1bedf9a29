// SPDX-License-Identifier: MIT
// The memory of one step: a single block used from both ends.
//
//   0 |== keep: what backward will need ==>        <== scratch of the innermost scope ==| size
//
// Forward pushes on the left in order and backward pops in reverse, so a stack suffices: no free list, no
// fragmentation. Planning uses an arena of imaginary bytes: the same pushes and pops, no memory behind them.
#pragma once
#include <algorithm>
#include <cstdint>

#include "temper/core/error.hpp"
#include "temper/core/types.hpp"

namespace temper {

class Arena {
 public:
  static constexpr std::size_t alignment = 256;
  static constexpr std::size_t imaginary_bytes = std::size_t{1} << 50;

  static constexpr std::size_t rounded(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }
  // Not at null, to which nothing may be added.
  static Arena imaginary() { return Arena(reinterpret_cast<void*>(alignment), imaginary_bytes); }

  Arena(void* base, std::size_t bytes) : base_(reinterpret_cast<std::uintptr_t>(base)), bytes_(bytes), top_(bytes) {}

  void* keep(std::size_t bytes) {
    check(bytes);
    const std::size_t at = bottom_;
    bottom_ += rounded(bytes);
    note();
    return address(at);
  }
  void* scratch(std::size_t bytes) {
    check(bytes);
    top_ -= rounded(bytes);
    note();
    return address(top_);
  }

  std::size_t kept() const { return bottom_; }
  std::size_t scratched() const { return bytes_ - top_; }
  void release_keep(std::size_t mark) { bottom_ = mark; }
  void release_scratch(std::size_t mark) { top_ = bytes_ - mark; }

  std::size_t capacity() const { return bytes_; }
  std::size_t peak() const { return peak_; }
  std::size_t kept_at_peak() const { return kept_at_peak_; }
  void forget_peak() { peak_ = kept_at_peak_ = 0; }

 private:
  // Integers, not pointers: an imaginary arena has no object that a pointer could point into.
  void* address(std::size_t offset) const { return reinterpret_cast<void*>(base_ + offset); }
  void check(std::size_t bytes) const {
    require(
        bytes <= top_ - bottom_ && rounded(bytes) <= top_ - bottom_, Fault::out_of_memory, "arena.full",
        "the step's arena of {} bytes is full: {} kept, {} scratch, {} more wanted; the step does more than what was "
        "planned; plan it with the largest batch that it will see",
        bytes_, bottom_, bytes_ - top_, bytes);
  }
  void note() {
    const std::size_t used = bottom_ + (bytes_ - top_);
    if (used > peak_) peak_ = used, kept_at_peak_ = bottom_;
  }

  std::uintptr_t base_;
  std::size_t bytes_, bottom_ = 0, top_, peak_ = 0, kept_at_peak_ = 0;
};

}  // namespace temper
