// SPDX-License-Identifier: MIT
// Which bytes of a rendered conversation are learned. A template's {% generation %} blocks say it; where it has none,
// an answer runs from the end of the generation prompt to the start of what the template writes for the next turn. Both
// ends are rendering positions: the conversation is rendered up to the answer, with the prompt, and up to its end. Some
// templates rewrite earlier text when turns follow (Phi-3, Qwen3, Mistral v3), so that these are no prefixes of the
// whole; there the renderer's record of who wrote what decides. Text is never searched for markers.
#pragma once
#include "temper/data/chat_template.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace temper {

enum class TrainOn { assistant, completion, all };  // all answers, the last one, everything

struct LabelledText {
  std::string text;
  std::vector<TextSpan> labels;    // ascending, not empty, apart
  bool generation_blocks = false;  // the labels are the template's own
};

class ConversationLabels {
 public:
  ConversationLabels(const ChatTemplate& chat, const Json& messages, const TemplateContext& context)
      : chat_(chat), messages_(messages), plain_(context), prompted_(context) {
    plain_.generation_prompt = GenerationPrompt::none;
    prompted_.generation_prompt = GenerationPrompt::added;
    whole_ = chat_.render(messages_, plain_);
  }

  const std::string& text() const { return whole_.text; }

  // Answers before message 'first' belong to the prompt. What is learned behind byte 'needed' of the text may be left
  // out: rows are cut, and each answer costs two renderings of all that is before it.
  LabelledText label(TrainOn train_on, std::size_t first = 0, Index needed = std::numeric_limits<Index>::max()) const {
    LabelledText result{whole_.text, {}, false};
    if (train_on == TrainOn::all) {
      if (!whole_.text.empty()) result.labels.push_back({0, size(whole_.text)});
      return result;
    }
    const std::vector<int> answers = answers_of(train_on, first);
    if (chat_.has_generation()) {
      result.generation_blocks = true;
      for (const GenerationBlock& block : whole_.generation)
        if ((train_on == TrainOn::assistant && first == 0) ||
            std::count(answers.begin(), answers.end(), block.message) != 0)
          result.labels.push_back(block.span);
      // A template whose loop over messages is not seen as one: its last block is the last answer's.
      if (result.labels.empty() && !whole_.generation.empty() && whole_.generation.back().message < 0)
        result.labels.push_back(whole_.generation.back().span);
      return result;
    }
    const std::vector<Index> begins = turn_begins();
    Index before = 0;  // where the answer before begins: this one is behind it
    for (const int answer : answers) {
      if (std::exchange(before, begins[static_cast<std::size_t>(answer)]) >= needed) continue;
      const TextSpan span = span_of(answer);
      if (span.begin < span.end) result.labels.push_back(span);
    }
    return result;
  }

 private:
  static Index size(const std::string& text) { return static_cast<Index>(text.size()); }

  std::vector<int> answers_of(TrainOn train_on, std::size_t first) const {
    std::vector<int> answers;
    for (std::size_t i = first; i < messages_.size(); ++i)
      if (messages_[i].value("role", Json()) == "assistant") answers.push_back(static_cast<int>(i));
    if (train_on == TrainOn::completion && answers.size() > 1) answers = {answers.back()};
    return answers;
  }

  // The conversation up to a message; nothing where the template refuses to render that.
  std::optional<Rendering> render_first(int count, GenerationPrompt prompt) const {
    const std::span<const Json> all(messages_.get_ref<const Json::array_t&>());
    try {
      return chat_.render(all.first(static_cast<std::size_t>(count)),
                          prompt == GenerationPrompt::added ? prompted_ : plain_);
    } catch (const Error&) { return std::nullopt; }
  }

  bool is_prefix(const std::optional<Rendering>& part) const { return part && whole_.text.starts_with(part->text); }

  // The message in whose turn the template wrote; outside of loops, the one whose words these are.
  static int writer_of(const templates::Run& run) {
    return run.writer.author >= 0 ? run.writer.author : run.writer.content;
  }

  // Where the first text that was written in each message's turn begins; -1 where there is none.
  std::vector<Index> turn_begins() const {
    std::vector<Index> begins(messages_.size(), -1);
    std::size_t at = 0;
    for (const templates::Run& run : whole_.runs) {
      const auto writer = static_cast<std::size_t>(std::max(writer_of(run), -1));
      if (writer < begins.size() && begins[writer] < 0) begins[writer] = static_cast<Index>(at);
      at = run.end;
    }
    return begins;
  }

  TextSpan span_of(int answer) const {
    const auto prompted = render_first(answer, GenerationPrompt::added);
    const auto answered = render_first(answer + 1, GenerationPrompt::none);
    if (is_prefix(prompted) && is_prefix(answered) && prompted->text.size() <= answered->text.size())
      return {size(prompted->text), size(answered->text)};
    return recorded_span(answer, prompted);
  }

  // By the record: the text written in the answer's turn, up to the next turn's, less the generation prompt.
  TextSpan recorded_span(int answer, const std::optional<Rendering>& prompted) const {
    Index begin = -1, end = size(whole_.text), first_word = -1, at = 0;
    for (const templates::Run& run : whole_.runs) {
      const int writer = writer_of(run);
      if (writer == answer && begin < 0) begin = at;
      if (writer == answer && run.writer.content == answer && first_word < 0) first_word = at;
      if (writer >= 0 && writer != answer && begin >= 0) {
        end = at;
        break;
      }
      at = static_cast<Index>(run.end);
    }
    require(begin >= 0, Fault::data, "rows.span",
            "the chat template writes nothing for message {}, an assistant's, so there is nothing to learn; {}",
            answer + 1, "expected text for every answer; mend the template or remove the message");
    if (is_prefix(prompted) && size(prompted->text) >= begin && size(prompted->text) <= end)
      return {size(prompted->text), end};
    const std::string prompt = generation_prompt(answer, prompted);
    const std::string_view turn =
        std::string_view(whole_.text).substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    if (turn.starts_with(prompt)) return {begin + size(prompt), end};
    const Index shared = begin + shared_part(turn, prompt);
    if (first_word < 0) return {shared, end};
    return {shared > begin ? std::min(shared, first_word) : first_word, end};
  }

  // How much of the prompt the turn begins with, up to the end of a line, a word or a tag: a template may ask in other
  // words than it answers (an empty thought, a channel).
  static Index shared_part(std::string_view turn, std::string_view prompt) {
    const auto differ = std::mismatch(turn.begin(), turn.end(), prompt.begin(), prompt.end()).first;
    auto length = static_cast<std::size_t>(differ - turn.begin());
    while (length > 0 && std::string_view(" \n\t>])}").find(turn[length - 1]) == std::string_view::npos) --length;
    return static_cast<Index>(length);
  }

  // What the template writes to ask for the answer: all that it adds when asked to, or else what it writes after the
  // loop over the messages.
  std::string generation_prompt(int answer, const std::optional<Rendering>& prompted) const {
    if (!prompted) return {};
    const auto plain = render_first(answer, GenerationPrompt::none);
    if (plain && prompted->text.starts_with(plain->text)) return prompted->text.substr(plain->text.size());
    std::size_t begin = 0;
    for (const templates::Run& run : prompted->runs)
      if (writer_of(run) >= 0) begin = run.end;
    return prompted->text.substr(begin);
  }

  const ChatTemplate& chat_;
  const Json& messages_;
  TemplateContext plain_, prompted_;
  Rendering whole_;
};

inline LabelledText label_conversation(const ChatTemplate& chat, const Json& messages, const TemplateContext& context,
                                       TrainOn train_on, std::size_t first = 0) {
  return ConversationLabels(chat, messages, context).label(train_on, first);
}

}  // namespace temper
