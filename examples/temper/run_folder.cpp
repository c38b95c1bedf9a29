// SPDX-License-Identifier: MIT
#include "run_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <array>

#include "temper/io/hash.hpp"

namespace temper_cli {

namespace fs = std::filesystem;
using temper::Fault;

bool is_locked(const fs::path& folder) {
  const temper::Descriptor file(::open((folder / ".lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return file.number() >= 0 && ::flock(file.number(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

namespace {

// The file that data.chat_template names, where it is no template itself.
std::optional<std::string> template_file(const Recipe& recipe) {
  if (!recipe.has("data.chat_template")) return std::nullopt;
  std::string text = recipe.text("data.chat_template");
  if (text == "none" || text.find_first_of("{\n") != std::string::npos) return std::nullopt;
  return text;
}

std::optional<std::string> rollout_file(const Recipe& recipe) {
  if (!recipe.is("task", "ppo") || !recipe.has("objective.rollouts")) return std::nullopt;
  return recipe.text("objective.rollouts");
}

void require_unlocked(const fs::path& folder) {
  temper::require(!is_locked(folder), Fault::temporary, "run.locked",
                  "{}: another process works on this run; expected no other; wait until it ends, then try again",
                  temper::shown_path(folder));
}

}  // namespace

void check_output(const fs::path& folder, Force force) {
  require_unlocked(folder);
  std::error_code error;
  // A stage of a run may be gone on with alone.
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    require_unlocked(entry->path());
  temper::require(fs::is_directory(folder, error) || !fs::exists(fs::symlink_status(folder, error)), Fault::usage,
                  "run.not_a_folder", "{}: exists and is not a folder; expected a new folder; choose another output",
                  temper::shown_path(folder));
  temper::require(force == Force::yes || temper::is_empty_or_absent(folder), Fault::usage, "run.exists",
                  "{}: exists and is not empty; expected a new folder; choose another output, or --force to replace it",
                  temper::shown_path(folder));
}

void check_replacement(const Recipe& recipe, const fs::path& folder) {
  std::vector<std::string> inputs = recipe.texts("data.train");
  for (const KeyPath key : {KeyPath("model"), KeyPath("teacher"), KeyPath("reward_model"), KeyPath("adapter.from")})
    for (std::string& path : recipe.texts(key)) inputs.push_back(std::move(path));
  if (!recipe.value("data.validation").is_number())
    for (std::string& path : recipe.texts("data.validation")) inputs.push_back(std::move(path));
  for (std::optional<std::string>& file : std::array{template_file(recipe), rollout_file(recipe)})
    if (file) inputs.push_back(std::move(*file));
  std::error_code error;
  const fs::path replaced = fs::weakly_canonical(folder, error);
  for (const std::string& input : inputs) {
    const fs::path whole = fs::weakly_canonical(input, error);
    const auto differ = std::mismatch(replaced.begin(), replaced.end(), whole.begin(), whole.end());
    temper::require(differ.first != replaced.end(), Fault::usage, "run.holds_input",
                    "{}: holds {}, which the run reads; expected another output; --force would remove it",
                    temper::shown_path(folder), temper::shown_path(input));
  }
}

RunFolder::RunFolder(const fs::path& folder) : path_(folder), lock_(folder) {}

RunFolder RunFolder::create(const fs::path& folder, Force force) {
  check_output(folder, force);
  temper::make_folders(folder);
  RunFolder run(folder);
  if (force == Force::yes) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      std::error_code error;
      if (entry.path().filename() == ".lock") continue;
      fs::remove_all(entry.path(), error);
      if (error) temper::fail_to_write(entry.path(), 0, error.value());
    }
  }
  return run;
}

RunFolder RunFolder::open(const fs::path& folder) {
  std::error_code error;
  temper::require(fs::is_directory(folder, error), Fault::usage, "run.missing",
                  "{}: no such folder; expected the folder of a run", temper::shown_path(folder));
  Json manifest = read_manifest(folder);
  RunFolder run(folder);
  run.manifest_ = read_manifest(folder);  // again, now that nobody else writes it
  temper::remove_abandoned(folder);
  temper::remove_abandoned(folder / "checkpoints");
  return run;
}

Json read_manifest(const fs::path& folder) {
  std::error_code error;
  temper::require(fs::exists(folder / "run.json", error), Fault::usage, "run.not_a_run",
                  "{}: has no run.json; expected the folder of a run", temper::shown_path(folder));
  Json manifest = temper::read_json(folder / "run.json");
  temper::require(manifest.is_object() && manifest.contains("state") && manifest["state"].is_string(), Fault::data,
                  "run.manifest", "{}: is not a run's manifest; expected an object with 'state'",
                  temper::shown_path(folder / "run.json"));
  return manifest;
}

void RunFolder::write_manifest() const { temper::write_file_atomically(path_ / "run.json", manifest_.dump(2) + "\n"); }

namespace {

// What the run reads of a model's or an adapter's folder.
bool is_read(const fs::path& file) {
  const std::string name = file.filename().string();
  return name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json") || name == "config.json" ||
         name == "tokenizer.json" || name == "tokenizer_config.json" || name == "special_tokens_map.json" ||
         name == "chat_template.jinja" || name == "generation_config.json" || name == "adapter_config.json";
}

void hash_folder(Json& hashes, const std::string& title, const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  if (!fs::is_directory(folder, error)) return;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (is_read(entry.path()) && entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) hashes[title + "/" + file.filename().string()] = temper::sha256_of_file(file);
}

void hash_files(Json& hashes, const std::string& title, const std::vector<std::string>& files) {
  for (std::size_t i = 0; i < files.size(); ++i)
    hashes[fmt::format("{}/{}/{}", title, i, fs::path(files[i]).filename().string())] =
        temper::sha256_of_file(files[i]);
}

}  // namespace

Json hash_inputs(const Recipe& recipe, Inputs which) {
  Json hashes = Json::object();
  if (which == Inputs::all) hash_folder(hashes, "model", recipe.path("model"));
  if (recipe.has("teacher")) hash_folder(hashes, "teacher", recipe.path("teacher"));
  if (recipe.has("reward_model")) hash_folder(hashes, "reward_model", recipe.path("reward_model"));
  if (const auto file = rollout_file(recipe)) hash_files(hashes, "objective.rollouts", {*file});
  if (which == Inputs::all && recipe.has("adapter.from"))
    hash_folder(hashes, "adapter.from", recipe.path("adapter.from"));
  hash_files(hashes, "data.train", recipe.texts("data.train"));
  if (!recipe.value("data.validation").is_number())
    hash_files(hashes, "data.validation", recipe.texts("data.validation"));
  if (const auto file = template_file(recipe)) hash_files(hashes, "data.chat_template", {*file});
  return hashes;
}

Json hash_folder(const std::string& title, const fs::path& folder) {
  Json hashes = Json::object();
  hash_folder(hashes, title, folder);
  return hashes;
}

void compare_inputs(const Json& before, const Json& now) {
  const auto differs = [](const std::string& name, std::string_view how) {
    temper::fail(Fault::data, "run.input_changed",
                 "{} {} since the run began; expected what the run was started with; put it back, or start a new run",
                 temper::printable(name), how);
  };
  for (const auto& [name, hash] : before.items()) {
    if (!now.contains(name)) differs(name, "is gone");
    if (now[name] != hash) differs(name, "has changed");
  }
  for (const auto& [name, hash] : now.items())
    if (!before.contains(name)) differs(name, "is new");
}

}  // namespace temper_cli
