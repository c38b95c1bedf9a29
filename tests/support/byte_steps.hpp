// SPDX-License-Identifier: MIT
// A text that comes in steps of so many bytes, as a file does that is read through a small window.
#pragma once
#include <algorithm>
#include <span>
#include <string_view>

#include "temper/data/byte_source.hpp"

namespace temper::testing {

class ByteSteps final : public ByteSource {
 public:
  ByteSteps(std::string_view text, std::size_t step) : text_(text), step_(step) {}
  std::size_t read(std::span<char> into) override { return text_.read(into.first(std::min(step_, into.size()))); }

 private:
  TextBytes text_;
  std::size_t step_;
};

}  // namespace temper::testing
