// SPDX-License-Identifier: MIT
// Metaspace of tokenizer.json, the part that its pre-tokenizer and its decoder share: the character that stands for a
// space, and where one is put before a text.
#pragma once
#include "temper/data/tokenizer_part.hpp"
#include "temper/data/unicode.hpp"

#include <string>

namespace temper {

enum class PrependScheme { always, first, never };

struct Metaspace {
  std::string replacement;  // one character
  PrependScheme prepend = PrependScheme::always;
  bool split = true;

  // Older files have 'add_prefix_space', and 'str_rep', which repeats the replacement.
  static Metaspace from_part(const TokenizerPart& part) {
    Metaspace made;
    made.replacement = part.text("replacement");
    const bool one = !made.replacement.empty() && code_point_at(made.replacement, 0).length == made.replacement.size();
    if (!one) part.wrong("replacement", Json(made.replacement), "one character");
    if (part.find("prepend_scheme")) {
      const std::string& scheme = part.text("prepend_scheme");
      if (scheme == "first")
        made.prepend = PrependScheme::first;
      else if (scheme == "never")
        made.prepend = PrependScheme::never;
      else if (scheme != "always")
        part.wrong("prepend_scheme", Json(scheme), "always, first or never");
    }
    if (!part.flag("add_prefix_space", true) && made.prepend != PrependScheme::never)
      part.wrong("add_prefix_space", Json(false), "true, or prepend_scheme never beside it");
    made.split = part.flag("split", true);
    return made;
  }
};

}  // namespace temper
