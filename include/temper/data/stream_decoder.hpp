// SPDX-License-Identifier: MIT
// Decodes tokens as they are generated. A character that is cut between two tokens is held back until it is whole, so
// that the pieces together are exactly what decode() gives for all ids.
#pragma once
#include "temper/data/tokenizer.hpp"

#include <string>
#include <utility>

namespace temper {

class StreamDecoder {
  const Tokenizer* tokenizer_;  // must outlive this
  SpecialTokens special_;
  std::string held_;

 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, SpecialTokens special = SpecialTokens::none)
      : tokenizer_(&tokenizer), special_(special) {}

  // The text that this token makes certain; may be empty.
  std::string push(TokenId id) {
    tokenizer_->append_bytes(held_, id, special_);
    std::size_t keep = 0;  // bytes at the end that a later token may complete
    for (std::size_t back = 1; back <= 3 && back <= held_.size(); ++back) {
      const auto byte = static_cast<unsigned char>(held_[held_.size() - back]);
      if ((byte & 0xc0u) == 0x80u) continue;
      if (utf8_step(std::string_view(held_).substr(held_.size() - back)).kind == Utf8::cut) keep = back;
      break;
    }
    std::string text = replace_invalid_utf8(std::string_view(held_).substr(0, held_.size() - keep));
    held_.erase(0, held_.size() - keep);
    return text;
  }

  // What was held back and will not be completed.
  std::string finish() { return replace_invalid_utf8(std::exchange(held_, {})); }
};

}  // namespace temper
