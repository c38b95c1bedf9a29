// SPDX-License-Identifier: MIT
// A model that answers: weights, adapter, tokenizer and template together. The decoders are compiled in text_model.cpp.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "commands.hpp"
#include "temper/io/json.hpp"

namespace temper_cli {

struct Answer {
  std::string text;
  std::size_t prompt_tokens = 0, tokens = 0;
  double seconds = 0;
  bool stopped = false;  // at an end token, not at the limit
};

class Speaker {
 public:
  virtual ~Speaker() = default;
  virtual bool has_template() const = 0;
  // Text as it is, with the special tokens that the tokenizer adds.
  virtual Answer continue_text(const std::string& text, const std::function<void(const std::string&)>& on_text) = 0;
  // A conversation through the chat template (the fallback where the tokenizer has none).
  virtual Answer answer(const temper::Json& messages, const std::function<void(const std::string&)>& on_text) = 0;
};

std::unique_ptr<Speaker> open_speaker(const GenerateOptions& options);

}  // namespace temper_cli
