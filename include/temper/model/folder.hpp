// SPDX-License-Identifier: MIT
// Models as Hugging Face folders: config.json, safetensors, and the files that belong to the tokenizer. What is written
// loads in transformers; what does not change is copied byte for byte.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "temper/io/folder.hpp"
#include "temper/io/safetensors_write.hpp"
#include "temper/io/weight_folder.hpp"
#include "temper/model/decoder.hpp"
#include "temper/model/score_labels.hpp"
#include "temper/model/stored_codes.hpp"
#include "temper/storage/merged_codes.hpp"

namespace temper {

// A folder's tensors as a source of weights, mapped and read where they lie. With 'merged_into' its codes are given as
// merges with adapters will hold them, which is for planning: types and shapes, no values.
class FolderWeights : public WeightSource {
 public:
  explicit FolderWeights(const std::filesystem::path& folder, std::optional<MergedCodes> merged_into = std::nullopt)
      : folder_(folder), weights_(folder), coding_(coding_of(weights_)), merged_into_(merged_into) {}

  std::string description() const override { return shown_path(folder_) + (merged_into_ ? ", merged" : ""); }
  std::optional<StoredTensor> find(std::string_view name) const override {
    const TensorInfo* tensor = weights_.find(name);
    if (!tensor) return std::nullopt;
    if (coding_ == Coding::dense || !holds_codes(*tensor))
      return StoredTensor{require_element(*tensor), tensor->shape, tensor->bytes.data()};
    const StoredCodes stored(weights_, *tensor, coding_);
    StoredTensor read = stored.read();
    if (!merged_into_) return read;
    const Coding into = merged_into_->coding;
    if (into == Coding::dense) return StoredTensor{merged_element(stored), read.shape, nullptr};
    const ScaleForm form = merged_form(into, read.codes);
    return StoredTensor{Element::f32,
                        read.shape,
                        nullptr,
                        {into, {.form = four_bits(into) ? merged_into_->form.value_or(form) : form}}};
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const TensorInfo& tensor : weights_.tensors())
      if (coding_ == Coding::dense || !is_code_part(weights_, tensor, coding_)) all.push_back(tensor.name);
    return all;
  }
  Coding coding() const override { return coding_ == Coding::dense || !merged_into_ ? coding_ : merged_into_->coding; }
  bool holds_values() const override { return !merged_into_; }
  const WeightFolder& folder() const { return weights_; }

  // Reads everything once: NaN and infinity are refused, naming the tensor.
  void refuse_non_finite() const {
    for (const TensorInfo& tensor : weights_.tensors())
      if (tensor.element) temper::refuse_non_finite(tensor);
  }

 private:
  // What was in 8 bits becomes what the embedding is.
  Element merged_element(const StoredCodes& stored) const {
    return merged_into_->through == Coding::int8 ? element_of_embedding(weights_) : stored.original();
  }

  std::filesystem::path folder_;
  WeightFolder weights_;
  Coding coding_;
  std::optional<MergedCodes> merged_into_;
};

inline bool has_weights(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "model.safetensors") ||
         std::filesystem::exists(folder / "model.safetensors.index.json");
}

template <class B, class A>
Decoder<B, A> open_decoder(const std::filesystem::path& folder, A adapter, BuildOptions options = {}) {
  Config config = open_config(folder);
  return {std::move(config), std::move(adapter), std::make_shared<FolderWeights>(folder), options};
}

// Values for a file, as they are held.
template <class B, class T>
TensorToWrite tensor_of_view(std::string name, std::vector<Index> shape, View<B, T, 1> values) {
  const auto* bytes = reinterpret_cast<const std::byte*>(values.data);
  return tensor_of_bytes(std::move(name), element_of<T>, std::move(shape), {bytes, values.bytes()});
}
template <class B>
TensorToWrite tensor_of(const Parameter<B>& p, std::string name) {
  if (p.is_narrow()) return tensor_of_view(std::move(name), p.shape, flat(p.narrow));
  return tensor_of_view(std::move(name), p.shape, flat(p.value));
}

constexpr std::size_t shard_bytes = std::size_t{5} * 1000 * 1000 * 1000;  // transformers' own limit

// Writes model.safetensors, or shards and their index where the model is larger than one file should be.
inline void write_weights(const std::filesystem::path& folder, const std::vector<TensorToWrite>& tensors) {
  std::vector<std::vector<TensorToWrite>> shards(1);
  std::size_t total = 0, filled = 0;
  for (const TensorToWrite& tensor : tensors) {
    std::size_t bytes = tensor.element_bytes();
    for (const Index extent : tensor.shape) bytes *= static_cast<std::size_t>(extent);
    if (filled > 0 && filled + bytes > shard_bytes) shards.emplace_back(), filled = 0;
    shards.back().push_back(tensor);
    filled += bytes, total += bytes;
  }
  if (shards.size() == 1) return write_safetensors(folder / "model.safetensors", shards[0]);
  Json map = Json::object();
  for (std::size_t s = 0; s < shards.size(); ++s) {
    const std::string file = fmt::format("model-{:05}-of-{:05}.safetensors", s + 1, shards.size());
    write_safetensors(folder / file, shards[s]);
    for (const TensorToWrite& tensor : shards[s]) map[tensor.name] = file;
  }
  const Json index = {{"metadata", {{"total_size", total}}}, {"weight_map", std::move(map)}};
  write_file_atomically(folder / "model.safetensors.index.json", index.dump(2) + "\n");
}

// Everything of a model's folder that training leaves as it is.
inline void copy_companions(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const char* name :
       {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
        "merges.txt", "tokenizer.model", "chat_template.jinja", "chat_template.json", "generation_config.json"})
    if (std::filesystem::exists(from / name)) copy_file_atomically(from / name, to / name);
}

// A tokenizer that pads with another token than the model knows would have the padding classified. What else the file
// says stays, but for integers of more than 64 bits, which are written as doubles: transformers' model_max_length of
// a tokenizer without a limit, int(1e30), becomes 1e+30, which is as far beyond every text.
inline void set_padding(const std::filesystem::path& folder, const std::string& token) {
  const std::filesystem::path path = folder / "tokenizer_config.json";
  if (token.empty() || !std::filesystem::exists(path)) return;
  Json config = read_json(path, {.long_integers = LongIntegers::as_doubles});
  if (!config.is_object() || (config.contains("pad_token") && config["pad_token"] == token)) return;
  config["pad_token"] = token;
  write_file_atomically(path, config.dump(2) + "\n");
}

// A score head is nothing without its labels.
template <class B, class A>
void require_outputs(const Decoder<B, A>& model, Index labels) {
  require(
      model.scores() == labels, Fault::usage, "head.outputs",
      "a head of {} scores is saved with {} labels; expected one for each; give the labels to save_model or save_peft",
      model.scores(), labels);
}

// The whole trained model, every tensor as it is held: F32 (F64 from the double backend), and with Precision::bf16
// matrices as BF16. 'folder' is one that a NewFolder builds.
template <class B, class A>
void save_model(Decoder<B, A>& model, const std::filesystem::path& base, const std::filesystem::path& folder,
                const std::optional<ScoreLabels>& labels = std::nullopt) {
  require_outputs(model, labels ? labels->outputs() : 0);
  Json config = labels ? score_config(model.config(), *labels) : model.config().json;
  std::vector<TensorToWrite> tensors;
  std::string_view type = "float32";
  model.visit([&](const auto& p) {
    tensors.push_back(tensor_of(p, p.name));
    if (p.is_narrow()) type = "bfloat16";
  });
  config[config.contains("torch_dtype") ? "torch_dtype" : "dtype"] = type;
  write_file_atomically(folder / "config.json", config.dump(2) + "\n");
  write_weights(folder, tensors);
  copy_companions(base, folder);
  if (labels) set_padding(folder, labels->pad_text);
}

}  // namespace temper
