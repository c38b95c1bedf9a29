// SPDX-License-Identifier: MIT
// Decodes tokens as they are generated. What a later token may still change, such as a character that is cut between
// two tokens, is held back, so that the pieces together are exactly what decode() gives for all ids.
#pragma once
#include "temper/data/tokenizer.hpp"

#include <string>

namespace temper {

class StreamDecoder {
  const Tokenizer* tokenizer_;  // must outlive this
  SpecialTokens special_;
  TokenDecoder::Stream stream_;

 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, SpecialTokens special = SpecialTokens::none)
      : tokenizer_(&tokenizer), special_(special), stream_(tokenizer.decoder()) {}

  // The text that this token makes certain; may be empty.
  std::string push(TokenId id) {
    std::string text;
    if (const auto token = tokenizer_->decoded_token(id, special_)) stream_.push(*token, text);
    return text;
  }

  // What was held back and will not be completed.
  std::string finish() {
    std::string text;
    stream_.finish(text);
    return text;
  }
};

}  // namespace temper
