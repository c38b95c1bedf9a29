// SPDX-License-Identifier: MIT
// Any bytes as a file of rows, from lines to labels in the fallback template's text: an Error that names the file, or
// samples whose labels lie in their text. The fast parser of rows and the strict one give the same value, or none.
#include "temper/data/row_file.hpp"
#include "temper/data/row_format.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace temper;

void compare_parsers(std::string_view text) {
  Json fast;
  JsonRowParser parser;
  if (!parser.parse(text, fast)) return;
  if (to_text(parse_json(text, "fuzz.jsonl")) != to_text(fast)) std::abort();
}

void check_labels(const ChatTemplate& chat, const Json& messages, const TemplateContext& context, std::size_t first) {
  try {
    const LabelledText labelled = label_conversation(chat, messages, context, TrainOn::assistant, first);
    for (const TextSpan span : labelled.labels)
      if (span.begin < 0 || span.end > static_cast<Index>(labelled.text.size())) std::abort();
  } catch (const Error& error) {
    if (error.fault() != Fault::data) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const ChatTemplate chat(fallback_chat_template);
  DataSettings settings;
  settings.system_prompt = size % 3 == 0 ? std::optional<std::string>("P") : std::nullopt;
  TemplateContext context;
  context.special_tokens = Json{{"eos_token", "</s>"}};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  compare_parsers(text);
  try {
    const RowReader reader(settings, "fuzz.jsonl");
    Sample conversation;
    for (Record& record : parse_rows(text, "fuzz.jsonl")) {
      if (record.line < 1) std::abort();
      record.cells = static_cast<Cells>(size % 3);
      const RowFormat format = reader.format_of(record);
      if (reader.is_part(record, format)) {
        reader.conversation_of(record);
        reader.add_part(conversation, record);
        continue;
      }
      const Sample sample = reader.sample(record, format);
      if (sample.text) continue;
      context.tools = sample.tools;
      check_labels(chat, sample.messages, context, sample.first_answer);
      if (format == RowFormat::preference) check_labels(chat, sample.rejected, context, sample.first_answer);
    }
    if (!conversation.messages.empty()) check_labels(chat, conversation.messages, context, 0);
  } catch (const Error& error) {
    if (std::string_view(error.what()).find("fuzz.jsonl") == std::string_view::npos) std::abort();
    if (std::string_view(error.what()).size() > 4000) std::abort();
  }
  return 0;
}
