// SPDX-License-Identifier: MIT
// A Hugging Face folder that a test makes in a millisecond: a Llama of 262 tokens with random weights, and a byte-level
// tokenizer without merges. Also rows to train it on.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "temper/core/random.hpp"
#include "temper/io/json.hpp"
#include "temper/io/safetensors_write.hpp"

namespace temper_test {

namespace fs = std::filesystem;
using temper::Index;
using temper::Json;

// A folder that goes when the test ends.
class TestFolder {
 public:
  TestFolder() {
    std::string pattern = (fs::temp_directory_path() / "temper-test-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
    path_ = fs::canonical(pattern);
  }
  ~TestFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  fs::path operator/(std::string_view name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

inline void write_text(const fs::path& path, std::string_view text) { temper::write_file_atomically(path, text); }
inline std::string read_text(const fs::path& path) { return temper::read_file(path, std::size_t{1} << 26); }

// GPT-2's letter for a byte, in UTF-8.
inline std::string letter_of(int byte) {
  int code = byte, next = 256;
  const auto printable = [](int b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174; };
  if (!printable(byte)) {
    for (int b = 0; b < byte; ++b) next += printable(b) ? 0 : 1;
    code = next;
  }
  if (code < 128) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3f))};
}

inline void write_tokenizer(const fs::path& folder) {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte) vocabulary[letter_of(byte)] = byte;
  Json added = Json::array();
  const char* const specials[] = {"<|end|>", "<|im_start|>", "<|im_end|>"};
  for (int i = 0; i < 3; ++i)
    added.push_back({{"id", 256 + i},
                     {"content", specials[i]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  const Json tokenizer = {{"version", "1.0"},
                          {"truncation", nullptr},
                          {"padding", nullptr},
                          {"added_tokens", added},
                          {"normalizer", nullptr},
                          {"pre_tokenizer", byte_level},
                          {"post_processor", nullptr},
                          {"decoder", byte_level},
                          {"model",
                           {{"type", "BPE"},
                            {"dropout", nullptr},
                            {"unk_token", nullptr},
                            {"continuing_subword_prefix", nullptr},
                            {"end_of_word_suffix", nullptr},
                            {"fuse_unk", false},
                            {"byte_fallback", false},
                            {"vocab", vocabulary},
                            {"merges", Json::array()}}}};
  write_text(folder / "tokenizer.json", tokenizer.dump());
  write_text(folder / "tokenizer_config.json", R"({"eos_token": "<|end|>"})");
}

inline Json tiny_config() {
  return {{"model_type", "llama"},
          {"architectures", {"LlamaForCausalLM"}},
          {"vocab_size", 262},
          {"hidden_size", 32},
          {"intermediate_size", 48},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"max_position_embeddings", 256},
          {"rms_norm_eps", 1e-5},
          {"tie_word_embeddings", false},
          {"hidden_act", "silu"},
          {"rope_theta", 10000.0},
          {"torch_dtype", "float32"}};
}

// 'scale' multiplies the deviation of every weight; large ones make numbers overflow.
inline void write_model(const fs::path& folder, double scale = 1) {
  fs::create_directories(folder);
  write_text(folder / "config.json", tiny_config().dump(2));
  write_tokenizer(folder);
  std::vector<std::pair<std::string, std::vector<Index>>> shapes = {
      {"model.embed_tokens.weight", {262, 32}}, {"model.norm.weight", {32}}, {"lm_head.weight", {262, 32}}};
  for (int layer = 0; layer < 2; ++layer) {
    const std::string at = "model.layers." + std::to_string(layer) + ".";
    for (const auto& [name, rows, cols] :
         std::vector<std::tuple<std::string, Index, Index>>{{"self_attn.q_proj", 32, 32},
                                                            {"self_attn.k_proj", 16, 32},
                                                            {"self_attn.v_proj", 16, 32},
                                                            {"self_attn.o_proj", 32, 32},
                                                            {"mlp.gate_proj", 48, 32},
                                                            {"mlp.up_proj", 48, 32},
                                                            {"mlp.down_proj", 32, 48}})
      shapes.push_back({at + name + ".weight", {rows, cols}});
    for (const char* norm : {"input_layernorm", "post_attention_layernorm"})
      shapes.push_back({at + norm + ".weight", {32}});
  }
  std::vector<std::vector<float>> values;
  std::vector<temper::TensorToWrite> tensors;
  values.reserve(shapes.size());
  for (const auto& [name, shape] : shapes) {
    const temper::Random random{7, temper::random_site(name), 0};
    std::vector<float> numbers(static_cast<std::size_t>(shape.size() == 2 ? shape[0] * shape[1] : shape[0]), 1.0f);
    if (shape.size() == 2)
      for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(scale * 0.1 * random.normal(i));
    values.push_back(std::move(numbers));
    tensors.push_back(temper::tensor_of_floats(name, temper::Element::f32, shape, values.back()));
  }
  temper::write_safetensors(folder / "model.safetensors", tensors);
}

inline std::string tiny_rows(int count) {
  static constexpr const char* words[] = {"red", "green", "blue", "black", "white", "amber", "grey"};
  std::string rows;
  for (int i = 0; i < count; ++i)
    rows +=
        Json{{"prompt", std::string("Colour ") + std::to_string(i) + "?"}, {"completion", words[i * 5 % 7]}}.dump() +
        "\n";
  return rows;
}

// A model, rows and a recipe in one folder.
struct TinyRun {
  TestFolder folder;
  Json recipe;

  explicit TinyRun(int rows = 24) {
    write_model(folder / "model");
    write_text(folder / "train.jsonl", tiny_rows(rows));
    recipe = {{"task", "sft"},
              {"model", "model"},
              {"adapter", {{"method", "lora"}, {"rank", 4}, {"alpha", 8}, {"dropout", 0.1}}},
              {"data", {{"train", "train.jsonl"}, {"max_length", 64}, {"packing", false}}},
              {"training", {{"learning_rate", 1e-2}, {"batch_size", 2}, {"gradient_accumulation", 2}, {"seed", 3}}},
              {"output", "run"}};
  }
  fs::path write_recipe(const std::string& name = "recipe.json") const {
    write_text(folder / name, recipe.dump(2));
    return folder / name;
  }
  fs::path operator/(std::string_view name) const { return folder / name; }
};

}  // namespace temper_test
