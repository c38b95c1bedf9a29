// SPDX-License-Identifier: MIT
// Any bytes as a chat template, rendered over a conversation: an Error of the data or a text whose record of writers
// and generation blocks fits it; never a hang, an overflow or exhausted memory.
#include "temper/data/assistant_spans.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace temper;
  static const Json messages = Json::parse(R"([{"role": "system", "content": "S s"},
    {"role": "user", "content": "Q\n\u00e9"}, {"role": "assistant", "content": "A", "tool_calls": [{"function":
    {"name": "f", "arguments": {"x": 1.5, "y": [true, null]}}}]}, {"role": "tool", "content": "42"},
    {"role": "assistant", "content": "B"}])");
  static const TemplateContext context = [] {
    TemplateContext seen;
    seen.tools = Json::parse(R"([{"type": "function", "function": {"name": "f"}}])");
    seen.special_tokens = Json{{"bos_token", "<s>"}, {"eos_token", "</s>"}};
    seen.date = templates::Date{2024, 7, 26, 0, 0, 0};
    return seen;
  }();
  templates::Limits limits;
  limits.work = 16 << 20;
  limits.iterations = 20'000;
  limits.evaluation_depth = 400;
  if (size == 0) return 0;
  try {
    const ChatTemplate chat(std::string_view(reinterpret_cast<const char*>(data), size), limits);
    const Rendering rendering = chat.render(messages, context);
    if (templates::find_invalid_utf8(rendering.text) != std::string_view::npos) std::abort();
    std::size_t end = 0;
    for (const templates::Run& run : rendering.runs) {
      if (run.end <= end || run.writer.content > 4 || run.writer.author > 4) std::abort();
      end = run.end;
    }
    if (!rendering.runs.empty() && end != rendering.text.size()) std::abort();
    const LabelledText labelled = label_conversation(chat, messages, context, TrainOn::assistant);
    Index at = 0;
    for (const TextSpan span : labelled.labels) {
      if (span.begin < at || span.end <= span.begin) std::abort();
      at = span.end;
    }
    if (at > static_cast<Index>(labelled.text.size())) std::abort();
  } catch (const Error& error) {
    if (error.fault() != Fault::data || std::string_view(error.what()).size() > 4000) std::abort();
  }
  return 0;
}
