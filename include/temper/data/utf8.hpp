// SPDX-License-Identifier: MIT
// Where a text stops being valid UTF-8; eight bytes at a time while it is ASCII.
#pragma once
#include "temper/io/printable.hpp"

#include <cstdint>
#include <cstring>
#include <string_view>

namespace temper {

// The first byte that belongs to no character; the text's size if there is none.
inline std::size_t invalid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t bytes = 0;
    if (text.size() - at >= 8) {
      std::memcpy(&bytes, text.data() + at, 8);
      if ((bytes & 0x8080808080808080u) == 0) {
        at += 8;
        continue;
      }
    }
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return at;
}

}  // namespace temper
