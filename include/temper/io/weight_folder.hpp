// SPDX-License-Identifier: MIT
// The weights of a Hugging Face folder as one list of tensors: model.safetensors, or model.safetensors.index.json and
// its shards. Index and shards must agree on every tensor, both ways. Nothing but safetensors is read.
#pragma once
#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "temper/core/error.hpp"
#include "temper/io/file.hpp"
#include "temper/io/json_fields.hpp"
#include "temper/io/safetensors.hpp"

namespace temper {

class WeightFolder {
  static constexpr std::size_t max_shards = 10'000;

  std::vector<std::filesystem::path> files_;
  TensorTable tensors_;

 public:
  explicit WeightFolder(const std::filesystem::path& folder) {
    std::error_code error;
    const auto about = std::filesystem::status(folder, error);
    require(std::filesystem::exists(about), Fault::usage, "file.missing",
            "{}: no such folder; expected a model's folder; check the path", shown_path(folder));
    require(std::filesystem::is_directory(about), Fault::data, "weights.not_folder",
            "{}: is a file; expected a model's folder", shown_path(folder));
    const std::filesystem::path single = folder / "model.safetensors", index = folder / "model.safetensors.index.json";
    if (std::filesystem::exists(single, error))
      open_single(single);
    else if (std::filesystem::exists(index, error))
      open_shards(folder, index);
    else
      fail_without_weights(folder);
  }

  const std::vector<TensorInfo>& tensors() const { return tensors_.all(); }
  const TensorInfo* find(std::string_view name) const { return tensors_.find(name); }
  const std::vector<std::filesystem::path>& files() const { return files_; }  // that hold tensors, sorted

 private:
  void open_single(const std::filesystem::path& path) {
    files_.push_back(path);
    tensors_ = TensorTable(SafetensorsFile(path).tensors());
  }

  void open_shards(const std::filesystem::path& folder, const std::filesystem::path& index_path) {
    const JsonSource source{shown_path(index_path)};
    const Json index = read_json(index_path);
    const Json& map = require_object(index, "weight_map", source);
    std::map<std::string, std::size_t> promised;  // tensors of each shard
    std::vector<std::pair<std::string_view, std::string_view>> wanted;
    for (const auto& [name, shard] : map.get_ref<const Json::object_t&>()) {
      const std::string& file = as_string(shard, name, source);
      require(is_plain_name(file) && file.ends_with(".safetensors"), Fault::data, "weights.shard_name",
              "{}: tensor '{}' is in '{}'; expected the name of a .safetensors file in the same folder", source.name,
              printable(name), printable(file));
      ++promised[file];
      wanted.emplace_back(name, file);
    }
    require(promised.size() <= max_shards, Fault::data, "weights.shards", "{}: names {} files; expected at most {}",
            source.name, promised.size(), max_shards);
    std::sort(wanted.begin(), wanted.end());

    std::vector<TensorInfo> all;
    for (const auto& [file, count] : promised) {
      const std::filesystem::path path = folder / file;
      std::error_code error;
      require(std::filesystem::exists(path, error), Fault::data, "weights.missing_shard",
              "{}: names '{}', which is not in the folder; expected every file of the model; copy it again",
              source.name, printable(file));
      const SafetensorsFile shard(path);
      for (const TensorInfo& tensor : shard.tensors()) {
        const auto entry = std::lower_bound(wanted.begin(), wanted.end(),
                                            std::pair(std::string_view(tensor.name), std::string_view()));
        const bool listed = entry != wanted.end() && entry->first == tensor.name;
        require(listed && entry->second == file, Fault::data, "weights.index",
                "{} is not there by {}, which puts it {}{}; expected index and files to agree; copy the model again",
                shown_tensor(tensor), source.name, listed ? "in " : "nowhere", listed ? printable(entry->second) : "");
        all.push_back(tensor);
      }
      if (shard.tensors().size() != count) fail_missing(source, wanted, file, shard);
      files_.push_back(path);
    }
    tensors_ = TensorTable(std::move(all));
  }

  [[noreturn]] static void fail_missing(const JsonSource& source,
                                        const std::vector<std::pair<std::string_view, std::string_view>>& wanted,
                                        std::string_view file, const SafetensorsFile& shard) {
    const auto missing = std::find_if(wanted.begin(), wanted.end(), [&](const auto& entry) {
      return entry.second == file && !shard.find(entry.first);
    });
    fail(Fault::data, "weights.index", "{}: puts tensor '{}' in '{}', which does not have it; {}", source.name,
         missing == wanted.end() ? "" : printable(missing->first), printable(file),
         "expected index and files to agree; copy the model again");
  }

  [[noreturn]] static void fail_without_weights(const std::filesystem::path& folder) {
    std::error_code error;
    for (const char* const name : {"pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth"})
      require(!std::filesystem::exists(folder / name, error), Fault::data, "weights.pickle",
              "{}: has weights as {}, which can run code when it is read; expected model.safetensors; convert it with "
              "save_pretrained(safe_serialization=True)",
              shown_path(folder), name);
    fail(Fault::data, "weights.none", "{}: has no model.safetensors and no model.safetensors.index.json; expected one",
         shown_path(folder));
  }
};

}  // namespace temper
