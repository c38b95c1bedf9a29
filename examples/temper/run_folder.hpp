// SPDX-License-Identifier: MIT
// A run's folder: made new, or opened again; locked while a process works in it. run.json, its manifest, is replaced
// whole whenever it changes.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "recipe.hpp"
#include "temper/io/folder.hpp"

namespace temper_cli {

enum class Force { no, yes };

// Refuses (2) a folder that is there and not empty, unless forced; (75) one that a process works in. Changes nothing.
void check_output(const std::filesystem::path& folder, Force force);

// Refuses to replace a folder that holds something the run reads.
void check_replacement(const Recipe& recipe, const std::filesystem::path& folder);

class RunFolder {
 public:
  static RunFolder create(const std::filesystem::path& folder, Force force);
  static RunFolder open(const std::filesystem::path& folder);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file(std::string_view name) const { return path_ / name; }

  // The folder to go on with: that of the run of stages, where this is one of them.
  const std::filesystem::path& resumed_by() const { return whole_.empty() ? path_ : whole_; }
  void be_stage_of(const std::filesystem::path& whole) { whole_ = whole; }

  Json& manifest() { return manifest_; }
  const Json& manifest() const { return manifest_; }
  void write_manifest() const;

 private:
  explicit RunFolder(const std::filesystem::path& folder);

  std::filesystem::path path_, whole_;
  temper::FolderLock lock_;
  Json manifest_ = Json::object();
};

Json read_manifest(const std::filesystem::path& folder);

// Is a process working in this folder?
bool is_locked(const std::filesystem::path& folder);

// SHA-256 of every file that the run reads: the model's, the adapter's it goes on from, the data's. Keys are 'model/
// config.json', 'train.jsonl'; the same run moved elsewhere has the same keys.
enum class Inputs { all, without_model };  // the latter: neither model nor adapter
Json hash_inputs(const Recipe& recipe, Inputs which = Inputs::all);

// Of a folder alone (of none: nothing), its name in front: '1-sft/adapter/adapter_model.safetensors'.
Json hash_folder(const std::string& title, const std::filesystem::path& folder);

// Throws (76) and names the first file that is not what it was.
void compare_inputs(const Json& before, const Json& now);

}  // namespace temper_cli
