// SPDX-License-Identifier: MIT
// The formats of rows: which fields each has, how 'auto' tells them apart by the fields of all rows, and how a row of
// every format becomes one of three things: a text, a conversation, or a prompt with its completion.
#pragma once
#include "temper/data/data_settings.hpp"
#include "temper/data/row_file.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

// What a row says, whatever its format. 'text' rows have text alone, all others messages.
struct Sample {
  std::optional<std::string> text;
  Json messages = Json::array();
  Json tools = nullptr, documents = nullptr;
  Index line = 1;
};

inline constexpr std::string_view completion_names[] = {"completion", "response", "output", "expected completion"};

class RowReader {
 public:
  RowReader(const DataSettings& settings, std::filesystem::path path) : settings_(settings), path_(std::move(path)) {}

  // The format that a row's fields say. Fields beside those of the format do not matter.
  RowFormat format_of(const Record& record) const {
    const auto has = [&](std::string_view field) { return find(record, field) != nullptr; };
    bool completion = false;
    for (const std::string_view name : completion_names) completion = completion || has(name);
    if (has("chosen") && has("rejected")) return RowFormat::preference;
    if (has("messages") || (has("conversation_id") && has("role"))) return RowFormat::chat;
    if (has("conversations")) return RowFormat::sharegpt;
    if (has("instruction") && has("output")) return RowFormat::alpaca;
    if (has("prompt") && completion) return RowFormat::instruction;
    if (has("label") && (has("text") || has("prompt"))) return RowFormat::classification;
    if (has("text") || (has("input") && !completion)) return RowFormat::text;
    fail(Fault::data, "rows.format", "{}: no format has the fields {}; expected text, prompt and completion, {}",
         place(record.line), fields_of(record),
         "instruction and output, messages, conversations, or conversation_id, role and content; name them in "
         "'columns'");
  }

  // The rows of a file as samples, in file order; rows of one conversation_id become one, where its first row stands.
  std::vector<Sample> samples(std::vector<Record> records, RowFormat format) const {
    std::vector<Sample> samples;
    std::map<std::string, std::size_t> conversations;
    for (const Record& record : records) {
      if (format != RowFormat::chat || find(record, "messages")) {
        samples.push_back(sample(record, format));
        continue;
      }
      const Json& id = required(record, "conversation_id");
      require(id.is_string() || id.is_number_integer(), Fault::data, "rows.field",
              "{}: field 'conversation_id' is {}; expected a string or an integer", place(record.line), shown(id));
      const auto [known, fresh] = conversations.emplace(id.dump(), samples.size());
      if (fresh) {
        samples.push_back({});
        samples.back().line = record.line;
        if (const Json* tools = find(record, "tools")) samples.back().tools = *tools;
      }
      samples[known->second].messages.push_back(grouped_message(record));
    }
    for (Sample& sample : samples)
      if (!sample.text && format != RowFormat::text) add_system_prompt(sample);
    return samples;
  }

  std::string place(Index line) const { return fmt::format("{}:{}", shown_path(path_), line); }

 private:
  static std::string shown(const Json& value) {
    return value.is_null()     ? "null"
           : value.is_string() ? "a string"
           : value.is_object() ? "an object"
           : value.is_array()  ? "a list"
                               : printable(value.dump(), 40);
  }

  static std::string fields_of(const Record& record) {
    std::string names;
    for (const auto& [name, value] : record.fields.items())
      if (names.size() < 300) names += (names.empty() ? "'" : ", '") + printable(name, 60) + "'";
    return names.empty() ? "(none)" : names;
  }

  // A field by our name: the column that 'columns' maps it to, else the field itself. A null counts as there.
  const Json* find(const Record& record, std::string_view field) const {
    for (const auto& [ours, column] : settings_.columns)
      if (ours == field) field = column;
    const auto found = record.fields.find(std::string(field));
    return found == record.fields.end() ? nullptr : &*found;
  }

  const Json& required(const Record& record, std::string_view field) const {
    const Json* value = find(record, field);
    require(value != nullptr, Fault::data, "rows.missing_field", "{}: has no field '{}'; its fields are {}; {}",
            place(record.line), field, fields_of(record), "expected it, or its column's name in 'columns'");
    return *value;
  }

  const std::string& text_of(const Record& record, std::string_view field) const {
    const Json& value = required(record, field);
    require(value.is_string(), Fault::data, "rows.field", "{}: field '{}' is {}; expected a string", place(record.line),
            field, shown(value));
    return value.get_ref<const std::string&>();
  }

  std::string optional_text(const Record& record, std::string_view field) const {
    const Json* value = find(record, field);
    return !value || value->is_null() ? std::string() : text_of(record, field);
  }

  template <std::size_t Count>
  std::string_view first_of(const Record& record, const std::string_view (&names)[Count]) const {
    for (const std::string_view name : names)
      if (find(record, name)) return name;
    return names[0];
  }

  Sample sample(const Record& record, RowFormat format) const {
    Sample result;
    result.line = record.line;
    switch (format) {
      case RowFormat::text:
        result.text = text_of(record, find(record, "text") || !find(record, "input") ? "text" : "input");
        break;
      case RowFormat::instruction:
        add_system(result, record);
        add(result, "user", text_of(record, "prompt"));
        add(result, "assistant", text_of(record, first_of(record, completion_names)));
        break;
      case RowFormat::alpaca: {
        const std::string input = optional_text(record, "input");
        add_system(result, record);
        add(result, "user", text_of(record, "instruction") + (input.empty() ? "" : "\n\n" + input));
        add(result, "assistant", text_of(record, "output"));
        break;
      }
      case RowFormat::chat:
        read_messages(result, record);
        break;
      case RowFormat::sharegpt:
        read_conversations(result, record);
        break;
      default:
        fail(Fault::usage, "rows.format", "{}: {} rows are not supported yet; expected {}", place(record.line),
             name_of(format), "text, instruction, alpaca, chat or sharegpt rows");
    }
    if (format == RowFormat::chat || format == RowFormat::sharegpt) {
      if (const Json* tools = find(record, "tools")) result.tools = *tools;
      if (const Json* documents = find(record, "documents")) result.documents = *documents;
    }
    return result;
  }

  static void add(Sample& sample, std::string_view role, std::string_view content) {
    sample.messages.push_back(Json{{"role", role}, {"content", content}});
  }

  void add_system(Sample& sample, const Record& record) const {
    const Json* system = find(record, "system");
    if (system && !system->is_null()) add(sample, "system", text_of(record, "system"));
  }

  void add_system_prompt(Sample& sample) const {
    if (!settings_.system_prompt) return;
    for (const Json& message : sample.messages)
      if (message.value("role", Json()) == "system") return;
    sample.messages.insert(sample.messages.begin(), Json{{"role", "system"}, {"content", *settings_.system_prompt}});
  }

  const Json& list_of(const Record& record, std::string_view field) const {
    const Json& list = required(record, field);
    require(list.is_array() && !list.empty(), Fault::data, "rows.field",
            "{}: field '{}' is {}; expected a list of messages", place(record.line), field,
            list.is_array() ? std::string("empty") : shown(list));
    return list;
  }

  void read_messages(Sample& sample, const Record& record) const {
    const Json& list = list_of(record, "messages");
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto role = list[i].is_object() ? list[i].find("role") : list[i].end();
      require(list[i].is_object() && role != list[i].end() && role->is_string(), Fault::data, "rows.message",
              "{}: message {} has no role; expected an object of 'role' and 'content'", place(record.line), i + 1);
      sample.messages.push_back(list[i]);
    }
  }

  void read_conversations(Sample& sample, const Record& record) const {
    static constexpr std::pair<std::string_view, std::string_view> roles[] = {
        {"human", "user"},    {"user", "user"}, {"gpt", "assistant"},   {"assistant", "assistant"},
        {"system", "system"}, {"tool", "tool"}, {"observation", "tool"}};
    const Json& list = list_of(record, "conversations");
    if (const auto first = list[0].is_object() ? list[0].find("from") : list[0].end();
        first == list[0].end() || *first != "system")
      add_system(sample, record);
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
      add(sample, role->second, text("value"));
    }
  }

  Json grouped_message(const Record& record) const {
    Json message = Json::object();
    message["role"] = text_of(record, "role");
    for (const auto* field : {"content", "name", "tool_calls", "tool_call_id"})
      if (const Json* value = find(record, field)) message[field] = *value;
    require(message.contains("content") || message.contains("tool_calls"), Fault::data, "rows.missing_field",
            "{}: has no field 'content'; its fields are {}; expected it", place(record.line), fields_of(record));
    return message;
  }

  const DataSettings& settings_;
  std::filesystem::path path_;
};

}  // namespace temper
