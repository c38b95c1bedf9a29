// SPDX-License-Identifier: MIT
#include "temper/data/tokenizer_config.hpp"
#include <doctest/doctest.h>
#include <stdlib.h>
#include <support/refusal.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace tokenizer_config_test {

using namespace temper;

struct File {
  const char* name;
  std::string text;
};

const char* const config_file = "tokenizer_config.json";
const char* const map_file = "special_tokens_map.json";
const char* const generation_file = "generation_config.json";
const char* const template_file = "chat_template.jinja";

// What is read from a folder with these files.
TokenizerConfig read(const std::vector<File>& files) {
  struct Folder {
    std::string path = (std::filesystem::temp_directory_path() / "temper-config-XXXXXX").string();
    Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
    ~Folder() { std::filesystem::remove_all(path); }
  } folder;
  for (const File& file : files)
    std::ofstream(std::filesystem::path(folder.path) / file.name, std::ios::binary) << file.text;
  return read_tokenizer_config(folder.path);
}

std::string refused(const File& file) {
  return test::refusal([&] { read({file}); });
}

using Ids = std::vector<std::int64_t>;

TEST_CASE("tokenizer_config: a folder without files beside tokenizer.json says nothing") {
  const TokenizerConfig none = read({});
  CHECK_FALSE(none.bos_token.has_value());
  CHECK_FALSE(none.eos_token.has_value());
  CHECK_FALSE(none.unk_token.has_value());
  CHECK_FALSE(none.pad_token.has_value());
  CHECK_FALSE(none.chat_template.has_value());
  CHECK(none.end_ids.empty());
}

TEST_CASE("tokenizer_config: roles are text or objects; special_tokens_map.json fills what is missing") {
  const TokenizerConfig config = read(
      {{config_file, R"({"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "pad_token": null})"},
       {map_file, R"({"bos_token": "other", "pad_token": {"content": "<pad>"}, "unk_token": "<unk>",
                           "additional_special_tokens": ["<x>"]})"}});
  CHECK(config.bos_token == "<s>");
  CHECK(config.eos_token == "</s>");
  CHECK(config.pad_token == "<pad>");
  CHECK(config.unk_token == "<unk>");
  CHECK(read({{map_file, R"({"eos_token": "</s>"})"}}).eos_token == "</s>");
}

TEST_CASE("tokenizer_config: the chat template of its own file comes first, then text, then the list's default") {
  const std::string text = R"({"chat_template": "text"})";
  const std::string list = R"({"chat_template": [{"name": "tool_use", "template": "tools"},
                                                 {"name": "default", "template": "plain"}]})";
  CHECK(read({{config_file, text}}).chat_template == "text");
  CHECK(read({{config_file, list}}).chat_template == "plain");
  CHECK(read({{config_file, text}, {template_file, "file\n"}}).chat_template == "file\n");
  CHECK(read({{template_file, "file"}}).chat_template == "file");
  CHECK_FALSE(read({{config_file, R"({"chat_template": null})"}}).chat_template.has_value());
  CHECK_FALSE(
      read({{config_file, R"({"chat_template": [{"name": "rag", "template": "x"}]})"}}).chat_template.has_value());
}

TEST_CASE("tokenizer_config: generation_config.json has one end id or a list") {
  const auto ends = [](const char* text) { return read({{generation_file, text}}).end_ids; };
  CHECK(ends(R"({"eos_token_id": 2})") == Ids{2});
  CHECK(ends(R"({"eos_token_id": [128001, 128009]})") == Ids{128001, 128009});
  CHECK(ends(R"({"eos_token_id": []})").empty());
  CHECK(ends(R"({"eos_token_id": null})").empty());
  CHECK(ends(R"({"temperature": 0.6})").empty());
}

TEST_CASE("tokenizer_config: a length without end, which transformers writes as int(1e30), is no obstacle") {
  const char* const endless = R"({"model_max_length": 1000000000000000019884624838656, "eos_token": "</s>"})";
  CHECK(read({{config_file, endless}}).eos_token == "</s>");
}

TEST_CASE("tokenizer_config: files that lie are refused by name") {
  std::string many = R"({"eos_token_id": [1)";
  for (int i = 0; i < 1000; ++i) many += ",1";
  const std::pair<File, const char*> rows[] = {
      {{config_file, R"({"bos_token": 1})"}, "the file.bos_token is 1; expected a token"},
      {{config_file, R"({"eos_token": ["</s>"]})"}, "the file.eos_token is [\"</s>\"]; expected a token"},
      {{config_file, R"({"pad_token": {"text": "x"}})"}, "the file.pad_token.content is missing; expected a string"},
      {{config_file, R"({"chat_template": 1})"}, "the file.chat_template is 1; expected a list"},
      {{config_file, R"({"chat_template": ["x"]})"}, "the file.chat_template[0] is string; expected an object"},
      {{config_file, R"({"chat_template": [{"name": "default"}]})"}, "the file.chat_template[0].template is missing"},
      {{config_file, "[]"}, "the file is array; expected an object"},
      {{config_file, R"({"bos_token": "a", "bos_token": "b"})"}, "bos_token"},
      {{config_file, R"({"bos_token": )"}, "not valid JSON"},
      {{map_file, R"({"unk_token": false})"}, "the file.unk_token is false; expected a token"},
      {{map_file, ""}, "not valid JSON"},
      {{generation_file, R"({"eos_token_id": -1})"}, "the file.eos_token_id is -1; expected a token id"},
      {{generation_file, R"({"eos_token_id": 2147483648})"}, "the file.eos_token_id is 2147483648"},
      {{generation_file, R"({"eos_token_id": [1, "2"]})"}, "the file.eos_token_id is [1,\"2\"]"},
      {{generation_file, R"({"eos_token_id": 1.5})"}, "the file.eos_token_id is 1.5"},
      {{generation_file, many + "]}"}, "the file.eos_token_id is [1,1,"},
  };
  for (const auto& row : rows) {
    const std::string said = refused(row.first);
    CAPTURE(said);
    CHECK(said.find(row.second) != std::string::npos);
    CHECK(said.find(row.first.name) != std::string::npos);
    CHECK(said.size() < 600);
  }
}

}  // namespace tokenizer_config_test
