// SPDX-License-Identifier: MIT
// The field 'pattern' of a part of tokenizer.json: {"Regex": ...} or {"String": ...}, with the part named in errors.
#pragma once
#include "temper/data/text_pattern.hpp"
#include "temper/data/tokenizer_part.hpp"

#include <algorithm>
#include <string_view>

namespace temper {

inline TextPattern pattern_of(const TokenizerPart& part) {
  const TokenizerPart pattern = part.part("pattern");
  try {
    if (pattern.find("Regex")) return TextPattern::regex(pattern.text("Regex"));
    if (pattern.find("String")) return TextPattern::literal(pattern.text("String"));
  } catch (const Error& error) {
    const std::string_view what = error.what();
    fail(error.fault(), error.code(), "{}: {}: {}", part.source(), pattern.name(),
         what.substr(std::min(what.size(), std::string_view("temper: ").size())));
  }
  part.not_supported("pattern", "'Regex' or 'String'");
}

}  // namespace temper
