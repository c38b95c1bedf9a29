// SPDX-License-Identifier: MIT
// What a row says, whatever its file and format: a text, a conversation, two conversations of which one is preferred,
// a text with a label, or a prompt to be answered.
#pragma once
#include "temper/io/json.hpp"

#include <optional>
#include <string>
#include <vector>

namespace temper {

// A label as it stands in the file.
struct LabelValue {
  enum class Kind { none, name, integer, number, names };
  Kind kind = Kind::none;
  std::string name;                // name; also the text of an integer or number that came as text
  Index integer = 0;               // integer
  double number = 0;               // number, and integer
  std::vector<std::string> names;  // names: what of a multi-label row is true
  bool from_text = false;          // a cell of a CSV file: all cells together say whether they are numbers
};

// Text and classification rows have text, all others messages.
struct Sample {
  std::optional<std::string> text;
  Json messages = Json::array();  // of a preference row: the prompt and what was chosen
  Json tools = nullptr, documents = nullptr;
  Index line = 1;
  Json rejected = nullptr;       // of a preference row: the prompt and what was rejected
  std::size_t first_answer = 0;  // of a preference row: the first message behind the prompt
  LabelValue label{};            // of a classification row
  std::string expected{};        // of a prompt row: the right answer, where it says one
};

// About as many bytes as its texts have.
inline std::size_t size_of(const Json& value) {
  if (value.is_string()) return sizeof(Json) + value.get_ref<const std::string&>().size();
  std::size_t size = sizeof(Json);
  if (value.is_structured())
    for (const auto& part : value) size += size_of(part);
  return size;
}
inline std::size_t size_of(const Sample& sample) {
  return sizeof(Sample) + (sample.text ? sample.text->size() : 0) + size_of(sample.messages) + size_of(sample.rejected);
}

}  // namespace temper
