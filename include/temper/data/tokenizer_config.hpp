// SPDX-License-Identifier: MIT
// What the files beside tokenizer.json say: the special tokens by role, and the chat template's text.
#pragma once
#include "temper/data/tokenizer_part.hpp"
#include "temper/io/json.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace temper {

struct TokenizerConfig {
  std::optional<std::string> bos_token, eos_token, unk_token, pad_token;
  std::vector<std::int64_t> end_ids;  // eos_token_id of generation_config.json
  std::optional<std::string> chat_template;
};

// A role's token is written as text or as an object with 'content'.
inline void read_special_tokens(const Json& json, std::string_view source, TokenizerConfig& config) {
  const TokenizerPart part(json, "the file", source);
  const auto read = [&](const char* role, std::optional<std::string>& into) {
    const Json* const value = part.find(role);
    if (!value || into) return;
    if (!value->is_string() && !value->is_object()) part.wrong(role, *value, "a token");
    into = value->is_string() ? value->get<std::string>() : part.part(role).text("content");
  };
  read("bos_token", config.bos_token);
  read("eos_token", config.eos_token);
  read("unk_token", config.unk_token);
  read("pad_token", config.pad_token);
}

// A template is text, or a list of named ones of which 'default' is taken.
inline std::optional<std::string> chat_template_of(const Json& json, std::string_view source) {
  const TokenizerPart part(json, "the file", source);
  const Json* const value = part.find("chat_template");
  if (!value) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  for (const TokenizerPart& entry : part.parts("chat_template"))
    if (entry.text("name") == "default") return entry.text("template");
  return std::nullopt;
}

// Each of the files may be absent.
inline TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder) {
  constexpr std::size_t max_bytes = 16 << 20;
  // transformers writes int(1e30) as the model_max_length of a tokenizer that has none.
  const JsonOptions options{.long_integers = LongIntegers::as_doubles};
  TokenizerConfig config;
  const auto present = [&](const char* name) {
    std::error_code ignored;
    return std::filesystem::exists(folder / name, ignored);
  };
  if (present("tokenizer_config.json")) {
    const std::filesystem::path path = folder / "tokenizer_config.json";
    const Json json = read_json(path, options, max_bytes);
    read_special_tokens(json, shown_path(path), config);
    config.chat_template = chat_template_of(json, shown_path(path));
  }
  if (present("chat_template.jinja")) config.chat_template = read_file(folder / "chat_template.jinja", max_bytes);
  if (present("special_tokens_map.json")) {
    const std::filesystem::path path = folder / "special_tokens_map.json";
    read_special_tokens(read_json(path, options, max_bytes), shown_path(path), config);
  }
  if (present("generation_config.json")) {
    const std::filesystem::path path = folder / "generation_config.json";
    const Json json = read_json(path, options, max_bytes);
    const TokenizerPart part(json, "the file", shown_path(path));
    if (const Json* const value = part.find("eos_token_id")) {
      const Json list = value->is_array() ? *value : Json::array({*value});
      for (const Json& id : list) {
        if (!id.is_number_unsigned() || id.get<std::uint64_t>() > 0x7fffffff || list.size() > 1000)
          part.wrong("eos_token_id", *value, "a token id or a list of them");
        config.end_ids.push_back(id.get<std::int64_t>());
      }
    }
  }
  return config;
}

}  // namespace temper
