// SPDX-License-Identifier: MIT
// A decoder that goes on from tokens, whatever adapter stands on it.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "temper/model/generate.hpp"

namespace temper_cli {

class TextModel {
 public:
  virtual ~TextModel() = default;
  virtual std::vector<temper::TokenId> generate(std::span<const temper::TokenId> prompt, temper::Index capacity,
                                                int threads, const temper::Sampling& sampling,
                                                const std::function<void(temper::TokenId)>& on_token) = 0;
  // on_logits is given those that follow each token of the text.
  virtual void follow(std::span<const temper::TokenId> text, int threads,
                      const std::function<void(std::span<const float>)>& on_logits) = 0;
};

// 'adapter' may be empty: the model alone.
std::unique_ptr<TextModel> open_text_model(const std::filesystem::path& model, const std::filesystem::path& adapter);

}  // namespace temper_cli
