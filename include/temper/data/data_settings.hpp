// SPDX-License-Identifier: MIT
// What 'data' of a recipe says, as values: files, format, and how rows become tokens and batches.
#pragma once
#include "temper/data/assistant_spans.hpp"
#include "temper/data/problem.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace temper {

enum class RowFormat { automatic, text, instruction, alpaca, chat, sharegpt, preference, classification, prompt };
enum class Packing { off, on };
enum class Shuffle { off, on };
enum class TemplateUse { on, off };  // off: prompt and completion are concatenated as they are

struct DataSettings {
  std::vector<std::filesystem::path> train, validation;
  double validation_fraction = 0;  // of train; 0: the validation files, if any
  RowFormat format = RowFormat::automatic;
  std::vector<RowFormat> accepted;                           // what the caller can train on; none: all
  Problem problem = Problem::automatic;                      // of classification rows: by default, as the labels look
  std::vector<std::pair<std::string, std::string>> columns;  // our field, the file's column
  Index max_length = 2048;
  Packing packing = Packing::on;
  Shuffle shuffle = Shuffle::on;
  std::optional<Index> max_samples;
  TrainOn train_on = TrainOn::assistant;
  std::optional<std::string> system_prompt;
  TemplateUse template_use = TemplateUse::on;
  std::optional<std::string> chat_template;  // its text; without: the tokenizer's own, else the fallback
  Json template_arguments = Json::object();
  std::optional<templates::Date> date;  // for templates that print one
  std::uint64_t seed = 42;
  int threads = 1;  // that tokenize; rows do not depend on it
};

inline constexpr std::pair<RowFormat, std::string_view> row_format_names[] = {
    {RowFormat::automatic, "auto"},
    {RowFormat::text, "text"},
    {RowFormat::instruction, "instruction"},
    {RowFormat::alpaca, "alpaca"},
    {RowFormat::chat, "chat"},
    {RowFormat::sharegpt, "sharegpt"},
    {RowFormat::preference, "preference"},
    {RowFormat::classification, "classification"},
    {RowFormat::prompt, "prompt"}};

inline std::string_view name_of(RowFormat format) {
  for (const auto& [value, name] : row_format_names)
    if (value == format) return name;
  return "?";
}

}  // namespace temper
