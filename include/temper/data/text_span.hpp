// SPDX-License-Identifier: MIT
// A half-open range of bytes in a text: what the template engine labels and what the tokenizer says of each token.
#pragma once
#include "temper/core/types.hpp"

namespace temper {

struct TextSpan {
  Index begin = 0, end = 0;  // bytes, end excluded
  friend bool operator==(const TextSpan&, const TextSpan&) = default;
};

}  // namespace temper
