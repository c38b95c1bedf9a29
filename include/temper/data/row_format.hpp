// SPDX-License-Identifier: MIT
// The formats of rows: which fields each has, how 'auto' tells them apart by the fields of all rows, and how a row of
// every format becomes a sample: a text, a conversation, a pair of conversations, or a text with a label.
#pragma once
#include "temper/data/label_set.hpp"
#include "temper/data/row_fields.hpp"
#include "temper/data/sample.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

inline constexpr std::string_view completion_names[] = {"completion", "response", "output", "expected completion"};

class RowReader {
 public:
  RowReader(const DataSettings& settings, const std::filesystem::path& path)
      : settings_(settings), fields_(settings, path) {}

  const RowFields& fields() const { return fields_; }
  std::string place(Index line) const { return fields_.place(line); }

  // The format that a row's fields say. Fields beside those of the format do not matter. Files that were put together
  // have null where a row comes from another: a null conversation or preference is looked at only where nothing else
  // is.
  RowFormat format_of(const Record& record) const {
    const auto has = [&](std::string_view field) { return fields_.has(record, field); };
    const auto given = [&](std::string_view field) { return fields_.given(record, field) != nullptr; };
    if (const auto format = conversation_format(given)) return *format;
    bool completion = false;
    for (const std::string_view name : completion_names) completion = completion || has(name);
    if (has("instruction") && has("output")) return RowFormat::alpaca;
    if (has("prompt") && completion) return RowFormat::instruction;
    if (has("label") && (has("text") || has("prompt"))) return RowFormat::classification;
    if (has("text") || (has("input") && !completion)) return RowFormat::text;
    if (const auto format = conversation_format(has)) return *format;
    fail(Fault::data, "rows.format", "{}: no format has the fields {}; expected text, prompt and completion, {}",
         place(record.line), RowFields::fields_of(record),
         "instruction and output, messages, conversations, conversation_id with role and content, chosen and rejected, "
         "or text and label; name them in 'columns'");
  }

  // Of the fields that tell formats apart, a row has only those of this format: where it is not of it, it lacks some.
  bool has_none_but_those_of(const Record& record, RowFormat format) const {
    constexpr std::string_view of_any[] = {"tools", "documents", "system", "name"};
    return std::all_of(std::begin(row_field_names), std::end(row_field_names), [&](std::string_view field) {
      return std::find(std::begin(of_any), std::end(of_any), field) != std::end(of_any) || is_field_of(format, field) ||
             !fields_.has(record, field);
    });
  }

  // Whether this row is one message of a conversation that other rows go on with.
  bool is_part(const Record& record, RowFormat format) const {
    if (format != RowFormat::chat || fields_.given(record, "messages")) return false;
    return !fields_.has(record, "messages") || fields_.given(record, "conversation_id");
  }

  // What the rows of one conversation have in common.
  std::string conversation_of(const Record& record) const {
    const Json& id = fields_.required(record, "conversation_id");
    require(id.is_string() || id.is_number_integer(), Fault::data, "rows.field",
            "{}: field 'conversation_id' is {}; expected a string or an integer", place(record.line),
            RowFields::shown(id));
    return id.dump();
  }

  // Adds a row's message; the first row brings the line and the tools.
  void add_part(Sample& sample, const Record& record) const {
    if (sample.messages.empty()) {
      sample.line = record.line;
      read_tools(sample, record);
    }
    sample.messages.push_back(part_message(record));
  }
  void finish_parts(Sample& sample) const { add_system_prompt(sample.messages); }

  Sample sample(const Record& record, RowFormat format) const {
    Sample result;
    result.line = record.line;
    switch (format) {
      case RowFormat::text:
        result.text = fields_.text_of(record, text_field(record, "input"));
        break;
      case RowFormat::classification:
        result.text = fields_.text_of(record, text_field(record, "prompt"));
        read_label(result, record);
        break;
      case RowFormat::instruction:
        add_system(result.messages, record);
        add(result.messages, "user", fields_.text_of(record, "prompt"));
        add(result.messages, "assistant", fields_.text_of(record, completion_field(record)));
        break;
      case RowFormat::alpaca: {
        const std::string input = fields_.optional_text(record, "input");
        add_system(result.messages, record);
        add(result.messages, "user", fields_.text_of(record, "instruction") + (input.empty() ? "" : "\n\n" + input));
        add(result.messages, "assistant", fields_.text_of(record, "output"));
        break;
      }
      case RowFormat::chat:
        result.messages = messages_of(record, "messages", list_of(record, "messages"));
        break;
      case RowFormat::sharegpt:
        read_conversations(result, record);
        break;
      case RowFormat::preference:
        read_preference(result, record);
        return result;
      case RowFormat::prompt:
        read_prompt(result, record);
        return result;
      case RowFormat::automatic:
        fail(Fault::usage, "rows.format", "{}: 'auto' is no format of a row; expected what format_of said",
             place(record.line));
    }
    if (format == RowFormat::chat || format == RowFormat::sharegpt) read_tools(result, record);
    if (!result.text) add_system_prompt(result.messages);
    return result;
  }

 private:
  template <class Has>
  static std::optional<RowFormat> conversation_format(const Has& has) {
    if (has("chosen") && has("rejected")) return RowFormat::preference;
    if (has("messages") || (has("conversation_id") && has("role"))) return RowFormat::chat;
    if (has("conversations")) return RowFormat::sharegpt;
    return std::nullopt;
  }

  static bool is_field_of(RowFormat format, std::string_view field) {
    const auto one_of = [&](std::initializer_list<std::string_view> names) {
      return std::find(names.begin(), names.end(), field) != names.end();
    };
    const bool completion =
        std::find(std::begin(completion_names), std::end(completion_names), field) != std::end(completion_names);
    switch (format) {
      case RowFormat::text:
        return one_of({"text", "input"});
      case RowFormat::classification:
        return one_of({"text", "prompt", "label"});
      case RowFormat::instruction:
      case RowFormat::prompt:
        return field == "prompt" || completion;
      case RowFormat::alpaca:
        return one_of({"instruction", "input", "output"});
      case RowFormat::chat:
        return one_of({"messages", "conversation_id", "role", "content", "tool_calls", "tool_call_id"});
      case RowFormat::sharegpt:
        return field == "conversations";
      case RowFormat::preference:
        return one_of({"prompt", "chosen", "rejected"});
      case RowFormat::automatic:
        break;
    }
    return false;
  }

  std::string_view text_field(const Record& record, std::string_view other) const {
    if (fields_.given(record, "text") || !fields_.has(record, other)) return "text";
    return fields_.has(record, "text") && !fields_.given(record, other) ? "text" : other;
  }
  // The first that has something; else the first that is there.
  std::string_view completion_field(const Record& record) const {
    for (const std::string_view name : completion_names)
      if (fields_.given(record, name)) return name;
    for (const std::string_view name : completion_names)
      if (fields_.has(record, name)) return name;
    return completion_names[0];
  }

  static void add(Json& messages, std::string_view role, std::string_view content) {
    messages.push_back(Json{{"role", role}, {"content", content}});
  }
  void add_system(Json& messages, const Record& record) const {
    if (fields_.given(record, "system")) add(messages, "system", fields_.text_of(record, "system"));
  }
  static bool has_system(const Json& messages) {
    for (const Json& message : messages)
      if (message.value("role", Json()) == "system") return true;
    return false;
  }
  void add_system_prompt(Json& messages) const {
    if (!settings_.system_prompt || has_system(messages)) return;
    messages.insert(messages.begin(), Json{{"role", "system"}, {"content", *settings_.system_prompt}});
  }

  void read_tools(Sample& sample, const Record& record) const {
    if (fields_.given(record, "tools")) sample.tools = fields_.structure_of(record, "tools");
    if (fields_.given(record, "documents")) sample.documents = fields_.structure_of(record, "documents");
  }

  Json list_of(const Record& record, std::string_view field) const {
    Json list = fields_.structure_of(record, field);
    if (!list.is_array() || list.empty())
      fail(Fault::data, "rows.field", "{}: field '{}' is {}; expected a list of messages", place(record.line), field,
           list.is_array() ? std::string("empty") : RowFields::shown(list));
    return list;
  }

  Json messages_of(const Record& record, std::string_view field, Json list) const {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto role = list[i].is_object() ? list[i].find("role") : list[i].end();
      if (!list[i].is_object() || role == list[i].end() || !role->is_string())
        fail(Fault::data, "rows.message", "{}: {}, message {} has no role; expected an object of 'role' and 'content'",
             place(record.line), field, i + 1);
    }
    return list;
  }

  void read_conversations(Sample& sample, const Record& record) const {
    static constexpr std::pair<std::string_view, std::string_view> roles[] = {
        {"human", "user"},    {"user", "user"}, {"gpt", "assistant"},   {"assistant", "assistant"},
        {"system", "system"}, {"tool", "tool"}, {"observation", "tool"}};
    const Json list = list_of(record, "conversations");
    if (const auto first = list[0].is_object() ? list[0].find("from") : list[0].end();
        first == list[0].end() || *first != "system")
      add_system(sample.messages, record);
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto text = [&](const char* key) -> const std::string& {
        const auto found = list[i].is_object() ? list[i].find(key) : list[i].end();
        require(list[i].is_object() && found != list[i].end() && found->is_string(), Fault::data, "rows.message",
                "{}: conversations, turn {}: '{}' is not a string; expected an object of 'from' and 'value'",
                place(record.line), i + 1, key);
        return found->template get_ref<const std::string&>();
      };
      const std::string& from = text("from");
      const auto* const role =
          std::find_if(std::begin(roles), std::end(roles), [&](const auto& r) { return r.first == from; });
      require(role != std::end(roles), Fault::data, "rows.message", "{}: conversations, turn {}: from is '{}'; {}",
              place(record.line), i + 1, printable(from, 60),
              "expected human, user, gpt, assistant, system, tool or observation");
      add(sample.messages, role->second, text("value"));
    }
  }

  Json part_message(const Record& record) const {
    Json message = Json::object();
    message["role"] = fields_.text_of(record, "role");
    if (const Json* content = fields_.find(record, "content")) message["content"] = *content;
    for (const auto* field : {"name", "tool_call_id"})
      if (const Json* value = fields_.given(record, field)) message[field] = *value;
    if (fields_.given(record, "tool_calls")) message["tool_calls"] = fields_.structure_of(record, "tool_calls");
    require(message.contains("content") || message.contains("tool_calls"), Fault::data, "rows.missing_field",
            "{}: has no field 'content'; its fields are {}; expected it", place(record.line),
            RowFields::fields_of(record));
    return message;
  }

  void read_label(Sample& sample, const Record& record) const {
    const Json& value = fields_.required(record, "label");
    Json list = value;
    const bool is_text = record.cells == Cells::text && value.is_string();
    if (const std::string* const text = is_text ? value.get_ptr<const std::string*>() : nullptr;
        text && text->starts_with('[')) {
      JsonRowParser parser;
      if (Json names; parser.parse(*text, names)) list = std::move(names);
    }
    std::optional<LabelValue> label = label_of(list);
    require(label.has_value(), Fault::data, "rows.field",
            "{}: field 'label' is {}; expected a string, a number, or a list of names", place(record.line),
            RowFields::shown(list));
    const bool has_empty = label->kind == LabelValue::Kind::name
                               ? label->name.empty()
                               : std::count(label->names.begin(), label->names.end(), std::string()) > 0;
    require(!has_empty, Fault::data, "rows.field",
            "{}: field 'label' has an empty name; expected the name or number of a class; complete or remove the row",
            place(record.line));
    sample.label = std::move(*label);
    sample.label.from_text = is_text;
  }

  // 'prompt' is a string or messages, and so are 'chosen' and 'rejected'. Where these are whole conversations, which
  // begin with what was asked, the messages that they share are the prompt, and a 'prompt' that says it again is not
  // looked at.
  void read_preference(Sample& sample, const Record& record) const {
    const Json chosen = completion_of(record, "chosen"), rejected = completion_of(record, "rejected");
    const auto begins_with_prompt = [](const Json& list) {
      const Json role = list[0].value("role", Json());
      return role == "system" || role == "user";
    };
    Json prompt = Json::array();
    std::size_t shared = 0;
    if (begins_with_prompt(chosen) && begins_with_prompt(rejected)) {
      while (shared + 1 < chosen.size() && shared + 1 < rejected.size() && chosen[shared] == rejected[shared]) ++shared;
      for (const auto& [field, side] : {std::pair("chosen", &chosen), std::pair("rejected", &rejected)})
        require(side->size() > 1, Fault::data, "rows.field",
                "{}: field '{}' is a question without an answer; expected an assistant's message behind it",
                place(record.line), field);
      require(shared > 0, Fault::data, "rows.field",
              "{}: fields 'chosen' and 'rejected' begin with different messages; expected one prompt",
              place(record.line));
      prompt.insert(prompt.end(), chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(shared));
    } else {
      prompt = prompt_of(record);
    }
    add_systems(prompt, record);
    read_tools(sample, record);
    sample.first_answer = prompt.size();
    sample.rejected = prompt;
    sample.messages = std::move(prompt);
    const auto from = static_cast<std::ptrdiff_t>(shared);
    sample.messages.insert(sample.messages.end(), chosen.begin() + from, chosen.end());
    sample.rejected.insert(sample.rejected.end(), rejected.begin() + from, rejected.end());
  }

  // A string is one user turn.
  Json prompt_of(const Record& record) const {
    Json prompt = fields_.text_or_list(record, "prompt");
    if (prompt.is_string()) {
      const std::string text = prompt.get<std::string>();
      prompt = Json::array();
      add(prompt, "user", text);
    }
    require(prompt.is_array() && !prompt.empty(), Fault::data, "rows.field",
            "{}: field 'prompt' is {}; expected a string or a list of messages", place(record.line),
            prompt.is_array() ? std::string("empty") : RowFields::shown(prompt));
    return messages_of(record, "prompt", std::move(prompt));
  }
  void add_systems(Json& prompt, const Record& record) const {
    if (fields_.given(record, "system") && !has_system(prompt)) {
      Json first = Json::array();
      add_system(first, record);
      prompt.insert(prompt.begin(), first[0]);
    }
    add_system_prompt(prompt);
  }

  // What is to be answered, and the right answer where the row has one: a text, or messages of which the last is it.
  void read_prompt(Sample& sample, const Record& record) const {
    sample.messages = prompt_of(record);
    add_systems(sample.messages, record);
    read_tools(sample, record);
    const std::string_view field = completion_field(record);
    if (!fields_.given(record, field)) return;
    const Json answer = completion_of(record, field);
    const Json content = answer.back().value("content", Json());
    require(content.is_string(), Fault::data, "rows.field",
            "{}: field '{}' ends with a message whose content is {}; expected a string", place(record.line), field,
            RowFields::shown(content));
    sample.expected = content.get<std::string>();
  }

  Json completion_of(const Record& record, std::string_view field) const {
    Json value = fields_.text_or_list(record, field);
    if (value.is_string()) {
      Json messages = Json::array();
      add(messages, "assistant", value.get_ref<const std::string&>());
      return messages;
    }
    require(value.is_array() && !value.empty(), Fault::data, "rows.field",
            "{}: field '{}' is {}; expected a string or a list of messages", place(record.line), field,
            value.is_array() ? std::string("empty") : RowFields::shown(value));
    return messages_of(record, field, std::move(value));
  }

  const DataSettings& settings_;
  RowFields fields_;
};

}  // namespace temper
