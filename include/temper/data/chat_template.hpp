// SPDX-License-Identifier: MIT
// Chat templates: the part of Jinja that tokenizer folders use, rendered as transformers renders it (trim_blocks and
// lstrip_blocks on, immutable sandbox). Beside the text, a rendering says which message wrote each byte and where the
// {% generation %} blocks are, so that labels never come from searching text.
#pragma once
#include "temper/data/template/parser.hpp"
#include "temper/data/template/renderer.hpp"
#include "temper/data/text_span.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "temper/io/json.hpp"

namespace temper {

// The template of tokenizers that have none.
inline constexpr std::string_view fallback_chat_template =
    "{%- if bos_token is defined and bos_token %}{{- bos_token }}{%- endif %}{%- for m in messages %}{%- if m.role == "
    "'assistant' %}{{- '### Assistant:\\n' }}{%- generation %}{{- m.content }}{{- eos_token }}{%- endgeneration %}{{- "
    "'\\n\\n' }}{%- else %}{{- '### ' ~ (m.role | capitalize) ~ ':\\n' ~ m.content ~ '\\n\\n' }}{%- endif %}{%- endfor "
    "%}{%- if add_generation_prompt %}{{- '### Assistant:\\n' }}{%- endif %}";

enum class GenerationPrompt { none, added };

// What a template sees beside the messages. Special tokens that are not set are left out; arguments may replace them.
struct TemplateContext {
  Json tools = nullptr, documents = nullptr;  // null: the template sees none
  GenerationPrompt generation_prompt = GenerationPrompt::none;
  Json special_tokens = Json::object();  // bos_token, eos_token, ...
  Json arguments = Json::object();       // data.template_arguments
  std::optional<templates::Date> date;   // what strftime_now prints
};

struct GenerationBlock {
  TextSpan span;
  int message = -1;  // in whose turn of the loop over messages it was written
};

struct Rendering {
  std::string text;
  std::vector<GenerationBlock> generation;  // in order of the text
  std::vector<templates::Run> runs;         // who wrote which bytes; empty: nobody
};

class ChatTemplate {
 public:
  explicit ChatTemplate(std::string_view source, templates::Limits limits = {}) : limits_(limits) {
    require(source.size() <= limits.source_bytes, Fault::data, "chat_template.limit",
            "chat_template: {} bytes; expected at most {}", source.size(), limits.source_bytes);
    const std::size_t bad = templates::find_invalid_utf8(source);
    require(bad == std::string_view::npos, Fault::data, "chat_template.utf8",
            "chat_template: byte {} is not valid UTF-8", bad);
    templates::Parser parser(source, limits);
    body_ = std::make_shared<const templates::Body>(parser.parse());
    has_generation_ = parser.has_generation();
  }

  // Whether the template marks what the assistant generates.
  bool has_generation() const { return has_generation_; }

  Rendering render(const Json& messages, const TemplateContext& context) const {
    const auto* const list = messages.get_ptr<const Json::array_t*>();
    return render(list ? std::span<const Json>(*list) : std::span<const Json>(), context);
  }

  Rendering render(std::span<const Json> messages, const TemplateContext& context) const {
    templates::Limits limits = limits_;  // long conversations may cost more, up to twice as much
    limits.work += std::min(limits_.work, static_cast<std::int64_t>(messages.size()) * (std::int64_t{128} << 10));
    templates::Machine machine{limits, context.date, {}, 0, 0, {}};
    templates::Renderer renderer(machine, variables(machine, messages, context));
    const templates::Text text = renderer.render(*body_);
    return {text.bytes(), generation_blocks(text), text.runs()};
  }

 private:
  using Variables = std::vector<std::pair<std::string, templates::Value>>;

  static Variables variables(templates::Machine& machine, std::span<const Json> messages,
                             const TemplateContext& context) {
    Variables variables;
    std::vector<templates::Value> list;
    for (const Json& message : messages)
      list.push_back(convert(machine, message, static_cast<int>(list.size()), Level::message));
    variables.emplace_back("messages", machine.sequence(templates::Sequence::Kind::list, std::move(list)));
    variables.emplace_back("tools", convert(machine, context.tools, -1, Level::inner));
    variables.emplace_back("documents", convert(machine, context.documents, -1, Level::inner));
    variables.emplace_back("add_generation_prompt",
                           templates::Value(context.generation_prompt == GenerationPrompt::added));
    for (const Json* given : {&context.special_tokens, &context.arguments}) {
      for (const auto& [name, value] : given->items()) {
        const auto same = [&n = name](const auto& variable) { return variable.first == n; };
        const auto known = std::find_if(variables.begin(), variables.end(), same);
        templates::Value converted = convert(machine, value, -1, Level::inner);
        if (known == variables.end())
          variables.emplace_back(name, std::move(converted));
        else
          known->second = std::move(converted);
      }
    }
    return variables;
  }

  enum class Level { message, inner };

  // What stands in a message is its content, but for the role, which is the template's matter.
  static templates::Value convert(templates::Machine& machine, const Json& json, int message, Level level) {
    using templates::Text;
    using templates::Value;
    const templates::Writer writer{message, -1, -1};
    switch (json.type()) {
      case Json::value_t::string:
        return machine.text(Text(json.get_ref<const std::string&>(), writer));
      case Json::value_t::boolean:
        return Value(json.get<bool>());
      case Json::value_t::number_integer:
        return Value(json.get<std::int64_t>());
      case Json::value_t::number_unsigned:
        require(json.get<std::uint64_t>() <= std::uint64_t{INT64_MAX}, Fault::data, "chat_template.value",
                "chat_template: the integer {} does not fit in 64 bits", json.get<std::uint64_t>());
        return Value(json.get<std::int64_t>());
      case Json::value_t::number_float:
        return Value(json.get<double>());
      case Json::value_t::array: {
        std::vector<Value> items;
        for (const Json& item : json) items.push_back(convert(machine, item, message, Level::inner));
        return machine.sequence(templates::Sequence::Kind::list, std::move(items), message);
      }
      case Json::value_t::object: {
        std::vector<std::pair<Value, Value>> entries;
        for (const auto& [key, value] : json.items()) {
          if (level == Level::message && value.is_null()) continue;
          const bool role = level == Level::message && key == "role" && value.is_string();
          entries.emplace_back(Value(Text(key, writer)),
                               role ? Value(value.get<std::string>()) : convert(machine, value, message, Level::inner));
        }
        return level == Level::message ? machine.message(std::move(entries), message)
                                       : machine.dict(std::move(entries), message);
      }
      default:
        return Value(templates::None{});
    }
  }

  static std::vector<GenerationBlock> generation_blocks(const templates::Text& text) {
    std::vector<GenerationBlock> blocks;
    int last = -1;
    std::size_t begin = 0;
    for (const templates::Run& run : text.runs()) {
      const auto from = static_cast<Index>(begin), to = static_cast<Index>(run.end);
      begin = run.end;
      if (run.writer.generation >= 0 && run.writer.generation == last)
        blocks.back().span.end = to;
      else if (run.writer.generation >= 0)
        blocks.push_back({{from, to}, run.writer.author});
      last = run.writer.generation;
    }
    return blocks;
  }

  templates::Limits limits_;
  std::shared_ptr<const templates::Body> body_;
  bool has_generation_ = false;
};

}  // namespace temper
