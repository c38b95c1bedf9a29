// SPDX-License-Identifier: MIT
#include "checkpoints.hpp"

#include <algorithm>
#include <charconv>

#include "temper/core/version.hpp"
#include "temper/io/folder.hpp"
#include "temper/io/hash.hpp"
#include "temper/io/json_fields.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;
using temper::Fault;
using temper::JsonSource;

constexpr Index format_version = 1;

Progress progress_of(const Json& json, const JsonSource& source) {
  constexpr Index most = Index{1} << 60;
  Progress progress;
  progress.step = temper::require_integer(json, "step", source, 1, most);
  progress.seconds = temper::require_number(json, "seconds", source);
  progress.tokens = temper::require_integer(json, "tokens", source, 0, most);
  progress.supervised = temper::require_integer(json, "supervised_tokens", source, 0, most);
  progress.lowest_loss = temper::find_number(json, "lowest_loss", source);
  progress.lowest_step = temper::require_integer(json, "lowest_step", source, 0, most);
  progress.evaluations_without_gain = temper::require_integer(json, "evaluations_without_gain", source, 0, most);
  for (const Json& loss : temper::require_array(json, "recent_losses", source))
    progress.recent_losses.push_back(temper::as_number(loss, "recent_losses", source));
  return progress;
}

void verify(const fs::path& file, const std::string& hash) {
  std::error_code error;
  temper::require(
      fs::exists(file, error), Fault::data, "checkpoint.missing",
      "{}: is missing; expected the file that the checkpoint was written with; remove the checkpoint's folder "
      "to go on from an older one",
      temper::shown_path(file));
  temper::require(
      temper::sha256_of_file(file) == hash, Fault::data, "checkpoint.damaged",
      "{}: is damaged: its hash is not the one it was written with; remove the checkpoint's folder to go on "
      "from an older one",
      temper::shown_path(file));
}

}  // namespace

Json to_json(const Progress& progress) {
  return {{"step", progress.step},
          {"seconds", progress.seconds},
          {"tokens", progress.tokens},
          {"supervised_tokens", progress.supervised},
          {"lowest_loss", progress.lowest_loss ? Json(*progress.lowest_loss) : Json(nullptr)},
          {"lowest_step", progress.lowest_step},
          {"evaluations_without_gain", progress.evaluations_without_gain},
          {"recent_losses", progress.recent_losses}};
}

void Checkpoints::save(Engine& engine, const Progress& progress, Occasion occasion, MetricsFile& metrics,
                       const std::string& recipe_hash, const Json& inputs) {
  metrics.sync();
  temper::NewFolder folder(path_of(progress.step), temper::Existing::replaced);
  engine.save_state(folder.path());
  Json files = Json::object();
  std::vector<fs::path> written;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder.path())) written.push_back(entry.path());
  std::sort(written.begin(), written.end());
  for (const fs::path& file : written) files[file.filename().string()] = temper::sha256_of_file(file);
  Json record = {{"format", format_version},
                 {"version", temper::version},
                 {"planned", occasion == Occasion::planned},
                 {"progress", to_json(progress)},
                 {"recipe", recipe_hash},
                 {"inputs", inputs},
                 {"metrics", {{"bytes", metrics.bytes()}, {"sha256", hash_of_start(metrics.path(), metrics.bytes())}}},
                 {"files", files}};
  record["sha256"] = temper::sha256_of(record.dump());  // of all that stands above it
  temper::write_file_atomically(folder.path() / "checkpoint.json", record.dump(2) + "\n");
  folder.publish();
  retain(progress.step, progress.lowest_step);
}

std::optional<Checkpoint> Checkpoints::newest() const {
  const std::vector<Index> found = steps();
  if (found.empty()) return std::nullopt;
  const fs::path folder = path_of(found.back());
  const JsonSource source{temper::shown_path(folder / "checkpoint.json")};
  std::error_code error;
  temper::require(fs::exists(folder / "checkpoint.json", error), Fault::data, "checkpoint.missing",
                  "{}: is missing; expected a whole checkpoint; remove its folder to go on from an older one",
                  source.name);
  Json record = temper::read_json(folder / "checkpoint.json");
  const std::string hash = temper::require_string(record, "sha256", source);
  record.erase("sha256");
  temper::require(
      temper::sha256_of(record.dump()) == hash, Fault::data, "checkpoint.damaged",
      "{}: is damaged: its hash is not the one it was written with; remove the checkpoint's folder to go on "
      "from an older one",
      source.name);
  temper::require_integer(record, "format", source, format_version, format_version);
  for (const auto& [name, expected] : temper::require_object(record, "files", source).items()) {
    temper::require(temper::is_plain_name(name), Fault::data, "checkpoint.damaged",
                    "{}: names '{}' among its files; expected files that lie beside it; remove the checkpoint's folder "
                    "to go on from an older one",
                    source.name, temper::printable(name, 200));
    verify(folder / name, temper::as_string(expected, name, source));
  }
  const Json& metrics = temper::require_object(record, "metrics", source);
  Checkpoint checkpoint{
      .folder = folder,
      .progress = progress_of(temper::require_object(record, "progress", source), source),
      .metrics_bytes = static_cast<std::size_t>(temper::require_integer(metrics, "bytes", source, 0, Index{1} << 50)),
      .metrics_hash = temper::require_string(metrics, "sha256", source),
      .recipe_hash = temper::require_string(record, "recipe", source),
      .inputs = temper::require_object(record, "inputs", source)};
  temper::require(checkpoint.progress.step == found.back(), Fault::data, "checkpoint.step",
                  "{}: says step {}; expected {}, as its folder's name; put the folder's name back", source.name,
                  checkpoint.progress.step, found.back());
  return checkpoint;
}

void Checkpoints::finish(const Progress& progress) {
  const std::vector<Index> found = steps();
  if (found.empty()) return;
  for (const Index step : found) {
    const bool kept = keep_ == "best" ? step == progress.lowest_step : is_planned(step);
    if (!kept) remove(step);
  }
}

std::vector<Index> Checkpoints::steps() const {
  std::vector<Index> found;
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with("step-")) continue;
    Index step = 0;
    const auto parsed = std::from_chars(name.data() + 5, name.data() + name.size(), step);
    if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size() && step > 0) found.push_back(step);
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool Checkpoints::is_planned(Index step) const {
  try {
    return temper::read_json(path_of(step) / "checkpoint.json").value("planned", true);
  } catch (const std::exception&) {
    return true;  // not ours to judge
  }
}

// Moved aside first: what is half removed must not look like a checkpoint.
void Checkpoints::remove(Index step) const {
  const fs::path aside = temper::temporary_beside(path_of(step));
  std::error_code error;
  fs::rename(path_of(step), aside, error);
  if (!error) fs::remove_all(aside, error);
}

void Checkpoints::retain(Index newest, Index best) const {
  for (const Index step : steps()) {
    if (step == newest) continue;
    const bool kept = keep_ == "all" ? is_planned(step) : keep_ == "best" && step == best;
    if (!kept) remove(step);
  }
}

}  // namespace temper_cli
