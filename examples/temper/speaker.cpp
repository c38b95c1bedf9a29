// SPDX-License-Identifier: MIT
#include "speaker.hpp"

#include <chrono>

#include "calendar.hpp"
#include "engine.hpp"
#include "temper/data/chat_template.hpp"
#include "temper/data/stream_decoder.hpp"
#include "text_model.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;

class CpuSpeaker : public Speaker {
 public:
  explicit CpuSpeaker(const GenerateOptions& options)
      : options_(options),
        tokenizer_(temper::Tokenizer::open(options.model)),
        chat_(tokenizer_.chat_template().value_or(std::string(temper::fallback_chat_template))),
        model_(open_text_model(options.model, options.adapter)) {
    const auto set = [this](const char* name, const std::optional<std::string>& token) {
      if (token) context_.special_tokens[name] = *token;
    };
    set("bos_token", tokenizer_.bos_token());
    set("eos_token", tokenizer_.eos_token());
    set("unk_token", tokenizer_.unk_token());
    set("pad_token", tokenizer_.pad_token());
    context_.date = today();
    context_.generation_prompt = temper::GenerationPrompt::added;
  }

  bool has_template() const override { return tokenizer_.chat_template().has_value(); }

  Answer continue_text(const std::string& text, const std::function<void(const std::string&)>& on_text) override {
    return speak(tokenizer_.encode(text, temper::SpecialTokens::added).ids, on_text);
  }
  Answer answer(const Json& messages, const std::function<void(const std::string&)>& on_text) override {
    const std::string text = chat_.render(messages, context_).text;
    return speak(tokenizer_.encode(text, temper::SpecialTokens::none).ids, on_text);
  }

 private:
  Answer speak(const std::vector<temper::TokenId>& prompt, const std::function<void(const std::string&)>& on_text) {
    const auto start = std::chrono::steady_clock::now();
    const Index capacity = std::ssize(prompt) + options_.max_new_tokens;
    const temper::Sampling sampling{.max_new_tokens = options_.max_new_tokens,
                                    .temperature = options_.temperature,
                                    .top_p = options_.top_p,
                                    .seed = options_.seed,
                                    .stop = tokenizer_.end_ids()};
    temper::StreamDecoder decoder(tokenizer_);
    Answer answer;
    const auto add = [&](const std::string& piece) {
      if (piece.empty()) return;
      answer.text += piece;
      if (on_text) on_text(piece);
    };
    const std::vector<temper::TokenId> tokens =
        model_->generate(prompt, capacity, options_.threads.value_or(0), sampling,
                         [&](temper::TokenId token) { add(decoder.push(token)); });
    add(decoder.finish());
    answer.prompt_tokens = prompt.size();
    answer.tokens = tokens.size();
    answer.stopped = std::ssize(tokens) < options_.max_new_tokens;
    answer.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return answer;
  }

  const GenerateOptions options_;
  temper::Tokenizer tokenizer_;
  temper::ChatTemplate chat_;
  temper::TemplateContext context_;
  std::unique_ptr<TextModel> model_;
};

}  // namespace

std::unique_ptr<Speaker> open_speaker(const GenerateOptions& options) {
  temper::require(fs::exists(options.model), temper::Fault::usage, "generate.model",
                  "{}: no such folder; expected a model's folder", temper::shown_path(options.model));
  require_model_folder(options.model);
  return std::make_unique<CpuSpeaker>(options);
}

}  // namespace temper_cli
