// SPDX-License-Identifier: MIT
// Any bytes as a file of rows, from lines to labels in the fallback template's text: an Error that names the file, or
// samples whose labels lie in their text.
#include "temper/data/row_format.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace temper;
  if (size == 0) return 0;
  static const ChatTemplate chat(fallback_chat_template);
  DataSettings settings;
  settings.system_prompt = size % 3 == 0 ? std::optional<std::string>("P") : std::nullopt;
  TemplateContext context;
  context.special_tokens = Json{{"eos_token", "</s>"}};
  try {
    std::vector<Record> records = parse_rows(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz.jsonl");
    if (records.empty()) return 0;
    const RowReader reader(settings, "fuzz.jsonl");
    const RowFormat format = reader.format_of(records[0]);
    const std::size_t count = records.size();
    const std::vector<Sample> samples = reader.samples(std::move(records), format);
    if (samples.empty() || samples.size() > count) std::abort();
    for (const Sample& sample : samples) {
      if (sample.line < 1) std::abort();
      if (sample.text) continue;
      context.tools = sample.tools;
      try {
        const LabelledText labelled = label_conversation(chat, sample.messages, context, TrainOn::assistant);
        for (const TextSpan span : labelled.labels)
          if (span.begin < 0 || span.end > static_cast<Index>(labelled.text.size())) std::abort();
      } catch (const Error& error) {
        if (error.fault() != Fault::data) std::abort();
      }
    }
  } catch (const Error& error) {
    if (std::string_view(error.what()).find("fuzz.jsonl") == std::string_view::npos) std::abort();
    if (std::string_view(error.what()).size() > 4000) std::abort();
  }
  return 0;
}
