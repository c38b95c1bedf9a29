// SPDX-License-Identifier: MIT
// Every text of a row: its 'text', or all strings in its messages and documents. What the two sides of a preference
// share, the prompt, is given once.
#pragma once
#include "temper/data/sample.hpp"

#include <string>

namespace temper {

class SampleTexts {
 public:
  template <class Use>
  static void each(const Sample& sample, const Use& use) {
    if (sample.text) use(*sample.text);
    walk(sample.messages, use, deepest);
    walk(sample.documents, use, deepest);
    for (std::size_t i = sample.first_answer; i < sample.rejected.size(); ++i) walk(sample.rejected[i], use, deepest);
  }

 private:
  static constexpr int deepest = 64;  // deeper ones are no text that anybody wrote

  template <class Use>
  static void walk(const Json& value, const Use& use, int depth) {
    if (const auto* text = value.get_ptr<const Json::string_t*>()) {
      use(*text);
    } else if (value.is_structured() && depth > 0) {
      for (const Json& part : value) walk(part, use, depth - 1);
    }
  }
};

}  // namespace temper
