// SPDX-License-Identifier: MIT
// Samples to token rows: ids, and for each whether it is predicted. The first token of a row never is. A token is
// learned when any of its characters is.
#pragma once
#include "temper/data/row_format.hpp"
#include "temper/data/tokenizer.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace temper {

struct TokenRow {
  std::vector<TokenId> tokens;
  std::vector<std::uint8_t> labels;  // 1: this token is predicted
  Index length = 0;                  // in tokens, before it was cut
  bool truncated = false;
  bool unlearned_end = false;  // a generation block leaves the end of its turn out, see RowTokens

  Index supervised() const { return static_cast<Index>(std::count(labels.begin(), labels.end(), std::uint8_t{1})); }
};

class RowTokens {
 public:
  RowTokens(const DataSettings& settings, const Tokenizer& tokenizer)
      : settings_(settings), tokenizer_(tokenizer), chat_(template_text(settings, tokenizer)) {
    for (const AddedToken& token : tokenizer.added_tokens()) added_.push_back(token.id);
    std::sort(added_.begin(), added_.end());
    const auto set = [this](const char* name, const std::optional<std::string>& token) {
      if (token) context_.special_tokens[name] = *token;
    };
    set("bos_token", tokenizer.bos_token());
    set("eos_token", tokenizer.eos_token());
    set("unk_token", tokenizer.unk_token());
    set("pad_token", tokenizer.pad_token());
    context_.arguments = settings.template_arguments;
    context_.date = settings.date;
  }

  const ChatTemplate& chat_template() const { return chat_; }

  // A text, or a conversation of which 'train_on' says what is learned.
  TokenRow row(const Sample& sample) {
    return cut(sample.text ? text_row(*sample.text) : conversation(sample.messages, sample, settings_.train_on, 0));
  }

  // One side of a preference: the messages behind the prompt are learned, whatever 'train_on' says of others.
  TokenRow side(const Json& messages, const Sample& sample) {
    return cut(conversation(messages, sample, TrainOn::assistant, sample.first_answer));
  }

  // What is to be answered, up to where the answer begins. One that was cut could not be answered.
  TokenRow prompt(const Sample& sample) {
    TokenRow row;
    if (settings_.template_use == TemplateUse::off) {
      row.tokens = tokenizer_.encode(joined(sample.messages), SpecialTokens::added, cache_).ids;
      if (row.tokens.size() > 1 && tokenizer_.eos() == row.tokens.back()) row.tokens.pop_back();
    } else {
      context_.tools = sample.tools;
      context_.documents = sample.documents;
      context_.generation_prompt = GenerationPrompt::added;
      row.tokens = tokenizer_.encode(chat_.render(sample.messages, context_).text, SpecialTokens::none, cache_).ids;
      context_.generation_prompt = GenerationPrompt::none;
    }
    row.labels.assign(row.tokens.size(), 0);
    return cut(std::move(row));
  }

  // A text to be classified: as the tokenizer writes it, without an end; nothing of it is predicted.
  TokenRow classified(const Sample& sample) {
    TokenRow row;
    row.tokens = tokenizer_.encode(sample.text.value_or(""), SpecialTokens::added, cache_).ids;
    row.labels.assign(row.tokens.size(), 0);
    return cut(std::move(row));
  }

 private:
  static std::string template_text(const DataSettings& settings, const Tokenizer& tokenizer) {
    if (settings.chat_template) return *settings.chat_template;
    return tokenizer.chat_template().value_or(std::string(fallback_chat_template));
  }

  TokenRow cut(TokenRow row) const {
    if (!row.labels.empty()) row.labels[0] = 0;
    row.length = std::ssize(row.tokens);
    const auto limit = static_cast<std::size_t>(settings_.max_length);
    if (row.tokens.size() > limit) {
      row.tokens.resize(limit);
      row.labels.resize(limit);
      row.truncated = true;
    }
    row.tokens.shrink_to_fit();
    row.labels.shrink_to_fit();
    return row;
  }

  // How much of the text remains when the row is cut.
  Index kept_bytes(const Encoding& encoding) const {
    const auto limit = static_cast<std::size_t>(settings_.max_length);
    if (encoding.ids.size() <= limit) return std::numeric_limits<Index>::max();
    Index end = 0;
    for (std::size_t i = 0; i < limit; ++i) end = std::max(end, encoding.spans[i].end);
    return end;
  }

  TokenRow conversation(const Json& messages, const Sample& sample, TrainOn train_on, std::size_t first) {
    return settings_.template_use == TemplateUse::off ? plain_row(messages, train_on)
                                                      : chat_row(messages, sample, train_on, first);
  }

  void end(TokenRow& row, std::uint8_t label) const {
    const auto eos = tokenizer_.eos();
    if (!eos || (!row.tokens.empty() && row.tokens.back() == *eos)) return;
    row.tokens.push_back(*eos);
    row.labels.push_back(label);
  }

  TokenRow text_row(const std::string& text) {
    TokenRow row;
    row.tokens = tokenizer_.encode(text, SpecialTokens::added, cache_).ids;
    row.labels.assign(row.tokens.size(), 1);
    end(row, 1);
    return row;
  }

  // Without a template messages are put together as they are.
  static std::string joined(const Json& messages) {
    std::string text;
    for (const Json& message : messages) {
      const auto content = message.find("content");
      require(content != message.end() && content->is_string() && messages.size() <= 2, Fault::usage,
              "rows.no_template",
              "a conversation cannot be written without a chat template; expected a prompt that is a text");
      text += content->get_ref<const std::string&>();
    }
    return text;
  }

  // Without a template: what comes before the answer, the answer, the end.
  TokenRow plain_row(const Json& messages, TrainOn train_on) {
    std::string text;
    Index begin = 0;
    for (const Json& message : messages) {
      begin = static_cast<Index>(text.size());
      const auto content = message.find("content");
      require(content != message.end() && content->is_string(), Fault::usage, "rows.no_template",
              "a conversation cannot be written without a chat template; expected rows of prompt and completion");
      text += content->get_ref<const std::string&>();
    }
    const bool answered = !messages.empty() && messages.back()["role"] == "assistant";
    require(answered && messages.size() <= 3, Fault::usage, "rows.no_template",
            "a conversation cannot be written without a chat template; expected rows of prompt and completion");
    TokenRow row;
    const Encoding encoding = tokenizer_.encode(text, SpecialTokens::added, cache_);
    row.tokens = encoding.ids;
    if (train_on == TrainOn::all) {
      row.labels.assign(row.tokens.size(), 1);
    } else {
      mark(row, encoding, {{begin, static_cast<Index>(text.size())}});
    }
    if (!row.tokens.empty() && tokenizer_.eos() == row.tokens.back()) row.labels.back() = 1;
    end(row, 1);
    return row;
  }

  TokenRow chat_row(const Json& messages, const Sample& sample, TrainOn train_on, std::size_t first) {
    context_.tools = sample.tools;
    context_.documents = sample.documents;
    const ConversationLabels conversation(chat_, messages, context_);
    const Encoding encoding = tokenizer_.encode(conversation.text(), SpecialTokens::none, cache_);
    const LabelledText labelled = conversation.label(train_on, first, kept_bytes(encoding));
    TokenRow row;
    row.tokens = encoding.ids;
    mark(row, encoding, labelled.labels);
    if (labelled.generation_blocks)
      for (const TextSpan span : labelled.labels)
        row.unlearned_end = row.unlearned_end || leaves_end(encoding, span, static_cast<Index>(labelled.text.size()));
    return row;
  }

  // Both the tokens' spans and the labels ascend.
  static void mark(TokenRow& row, const Encoding& encoding, const std::vector<TextSpan>& labels) {
    row.labels.assign(encoding.ids.size(), 0);
    auto label = labels.begin();
    for (std::size_t i = 0; i < encoding.spans.size(); ++i) {
      const TextSpan token = encoding.spans[i];
      while (label != labels.end() && label->end <= token.begin) ++label;
      if (label == labels.end()) break;
      row.labels[i] = token.begin < token.end && token.end > label->begin;
    }
  }

  bool is_added(TokenId id) const { return std::binary_search(added_.begin(), added_.end(), id); }

  // A generation block without an added token, directly before one that is not in it: the model would never learn to
  // write the token that ends its turn.
  bool leaves_end(const Encoding& encoding, TextSpan block, Index text_size) const {
    if (block.end == text_size) return false;
    const auto begins_before = [](const TextSpan& token, Index at) { return token.begin < at; };
    auto token = std::lower_bound(encoding.spans.begin(), encoding.spans.end(), block.begin, begins_before);
    if (token != encoding.spans.begin() && (token - 1)->end > block.begin) --token;
    for (; token != encoding.spans.end(); ++token) {
      const TokenId id = encoding.ids[static_cast<std::size_t>(token - encoding.spans.begin())];
      if (token->begin >= block.end) return token->begin == block.end && is_added(id);
      if (is_added(id)) return false;
    }
    return false;
  }

  const DataSettings& settings_;
  const Tokenizer& tokenizer_;
  ChatTemplate chat_;
  TemplateContext context_;
  WordCache cache_;
  std::vector<TokenId> added_;  // ids, sorted
};

}  // namespace temper
