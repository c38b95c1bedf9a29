// SPDX-License-Identifier: MIT
// Which text of a conversation is learned: for templates with generation blocks, for those where earlier text stays as
// it was rendered, and for those that rewrite it.
#include "temper/data/assistant_spans.hpp"
#include <doctest/doctest.h>
#include "temper/io/file.hpp"

namespace temper::assistant_spans_test {

ChatTemplate golden(const std::string& name) {
  return ChatTemplate(read_file(TEMPER_TESTS "/golden/template/templates/" + name + ".jinja", 1 << 20));
}

TemplateContext context() {
  TemplateContext context;
  context.special_tokens = Json{{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  context.date = templates::Date{2024, 7, 26, 0, 0, 0};
  return context;
}

using Strings = std::vector<std::string>;

Strings labelled(const ChatTemplate& chat, const std::string& messages, TrainOn train_on = TrainOn::assistant,
                 const TemplateContext& seen = context()) {
  const LabelledText text = label_conversation(chat, Json::parse(messages), seen, train_on);
  Strings parts;
  for (const TextSpan span : text.labels)
    parts.push_back(
        text.text.substr(static_cast<std::size_t>(span.begin), static_cast<std::size_t>(span.end - span.begin)));
  return parts;
}

const std::string two_turns = R"([{"role": "system", "content": "S"}, {"role": "user", "content": "Q"},
  {"role": "assistant", "content": "A"}, {"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}])";

TEST_CASE("assistant spans: an answer runs to what the template writes for the next turn") {
  CHECK(labelled(golden("chatml"), two_turns) == Strings{"A<|im_end|>\n", "B<|im_end|>\n"});
  CHECK(labelled(golden("qwen25_style"), two_turns) == Strings{"A<|im_end|>\n", "B<|im_end|>\n"});
  CHECK(labelled(golden("llama3_style"), two_turns) == Strings{"A<|eot_id|>", "B<|eot_id|>"});
  CHECK(labelled(golden("llama32_style"), two_turns) == Strings{"A<|eot_id|>", "B<|eot_id|>"});
  CHECK(labelled(golden("mistral_v1_style"), two_turns) == Strings{" A</s>", " B</s>"});
  CHECK(labelled(golden("zephyr_style"), two_turns) == Strings{"A</s>\n", "B</s>\n"});
}

TEST_CASE("assistant spans: where a template rewrites earlier text, who wrote what decides") {
  // Phi-3 ends the whole text, not each turn, with eos; Mistral v3 moves the system text to the last user turn; Qwen3
  // drops the reasoning of earlier answers.
  CHECK(labelled(golden("phi3_style"), two_turns) == Strings{"A<|end|>\n", "B<|end|>\n</s>"});
  const std::string ends_with_user = R"([{"role": "system", "content": "S"}, {"role": "user", "content": "Q"},
    {"role": "assistant", "content": "A"}, {"role": "user", "content": "A"}])";
  CHECK(labelled(golden("phi3_style"), ends_with_user) == Strings{"A<|end|>\n"});
  CHECK(labelled(golden("mistral_v3_style"), ends_with_user) == Strings{" A</s>"});
  const std::string thoughts = R"([{"role": "user", "content": "Q"},
    {"role": "assistant", "content": "<think>\nhm\n</think>\n\nA"}, {"role": "user", "content": "R"},
    {"role": "assistant", "content": "<think>\nso\n</think>\n\nB"}])";
  CHECK(labelled(golden("thinking_style"), thoughts) ==
        Strings{"A<|im_end|>\n", "<think>\nso\n</think>\n\nB<|im_end|>\n"});
  TemplateContext quick = context();
  quick.arguments["enable_thinking"] = false;
  const std::string plain = R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"},
    {"role": "user", "content": "R"}, {"role": "assistant", "content": "B"}])";
  CHECK(labelled(golden("thinking_style"), plain, TrainOn::assistant, quick) ==
        Strings{"A<|im_end|>\n", "B<|im_end|>\n"});
}

TEST_CASE("assistant spans: generation blocks decide where a template has them") {
  CHECK(labelled(golden("chatml_generation"), two_turns) == Strings{"A<|im_end|>", "B<|im_end|>"});
  CHECK(labelled(golden("chatml_generation"), two_turns, TrainOn::completion) == Strings{"B<|im_end|>"});
  const ChatTemplate partial(
      "{% for m in messages %}{% if m.role == 'assistant' %}[{% generation %}{{ m.content }}"
      "{% endgeneration %}]{% else %}{{ m.content }}{% endif %}{% endfor %}");
  CHECK(labelled(partial, two_turns) == Strings{"A", "B"});
  const ChatTemplate unused(
      "{% for m in messages %}{{ m.content }}{% endfor %}{% if false %}{% generation %}"
      "{% endgeneration %}{% endif %}");
  CHECK(labelled(unused, two_turns).empty());
}

TEST_CASE("assistant spans: completion is the last answer, all is the whole text") {
  CHECK(labelled(golden("chatml"), two_turns, TrainOn::completion) == Strings{"B<|im_end|>\n"});
  CHECK(labelled(golden("phi3_style"), two_turns, TrainOn::completion) == Strings{"B<|end|>\n</s>"});
  CHECK(labelled(ChatTemplate("{{ messages[1].content }}!"), two_turns, TrainOn::all) == Strings{"Q!"});
  CHECK(labelled(golden("chatml"), R"([{"role": "user", "content": "Q"}])").empty());
}

TEST_CASE("assistant spans: the same words elsewhere in the conversation change nothing") {
  const std::string tricky = R"([{"role": "user", "content": "<|im_start|>assistant\nno<|im_end|>\n"},
    {"role": "assistant", "content": "<|im_start|>user\nA<|im_end|>\n"}, {"role": "user", "content": "A"}])";
  CHECK(labelled(golden("chatml"), tricky) == Strings{"<|im_start|>user\nA<|im_end|>\n<|im_end|>\n"});
  CHECK(labelled(golden("phi3_style"), tricky) == Strings{"<|im_start|>user\nA<|im_end|>\n<|end|>\n"});
}

TEST_CASE("assistant spans: tool calls are learned, tool results are not") {
  const std::string tools = R"([{"role": "user", "content": "Q"},
    {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]},
    {"role": "tool", "content": "42"}, {"role": "assistant", "content": "It is 42"}])";
  CHECK(labelled(golden("qwen25_style"), tools) ==
        Strings{"<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call><|im_end|>\n",
                "It is 42<|im_end|>\n"});
}

TEST_CASE(
    "assistant spans: a call is learned from its tag on, where the template asks in other words than it answers") {
  // Qwen3 and Nemotron ask with an empty thought that earlier turns do not have.
  const ChatTemplate chat(
      "{% for m in messages %}<|{{ m.role }}|>\n{% if m.tool_calls %}<call>{{ m.tool_calls[0].name }}</call>"
      "{% else %}{{ m.content }}{% endif %}<|end|>\n{% endfor %}"
      "{% if add_generation_prompt %}<|assistant|>\n<think></think>{% endif %}");
  CHECK(labelled(chat, R"([{"role": "user", "content": "Q"}, {"role": "assistant", "tool_calls": [{"name": "f"}]},
    {"role": "tool", "content": "42"}, {"role": "assistant", "content": "It is 42"}])") ==
        Strings{"<call>f</call><|end|>\n", "It is 42<|end|>\n"});
}

TEST_CASE("assistant spans: a tool's result that is written in the assistant's turn is not learned") {
  // Gemma 4 looks ahead for the results and writes them behind the call; the next answer goes on with the same turn.
  const ChatTemplate chat(
      "{% for m in messages %}{% if m.role != 'tool' %}"
      "{% if loop.previtem is undefined or loop.previtem.role != 'tool' %}<{{ m.role }}>{% endif %}"
      "{% if m.tool_calls %}call:{{ m.tool_calls[0].name }}"
      "{% for k in range(loop.index, messages | length) %}{% if messages[k].role == 'tool' %}"
      "{% set follow = messages[k] %}[result {{ follow.content }}]{% endif %}{% endfor %}"
      "{% else %}{{ m.content }}<end>{% endif %}{% endif %}{% endfor %}"
      "{% if add_generation_prompt and messages[-1].role != 'tool' %}<assistant>{% endif %}");
  CHECK(labelled(chat, R"([{"role": "user", "content": "Q"}, {"role": "assistant", "tool_calls": [{"name": "f"}]},
    {"role": "tool", "content": "42"}, {"role": "assistant", "content": "It is 42"}])") ==
        Strings{"call:f", "It is 42<end>"});
}

TEST_CASE("assistant spans: without a loop over messages, their own words decide") {
  const ChatTemplate indexed("<{{ messages[1].content }}|{{ messages[2].content }}>");
  CHECK(labelled(indexed, R"([{"role": "system", "content": "S"}, {"role": "user", "content": "Q"},
    {"role": "assistant", "content": "A"}])") == Strings{"A>"});
}

TEST_CASE("assistant spans: an answer that the template leaves out is an error") {
  const ChatTemplate silent(
      "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
      "{% if add_generation_prompt %}>{% endif %}");
  CHECK_THROWS_WITH_AS(labelled(silent, two_turns), doctest::Contains("writes nothing for message 3"), Error);
}

}  // namespace temper::assistant_spans_test
