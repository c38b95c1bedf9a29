// SPDX-License-Identifier: MIT
// 'temper runs': every run below a folder, newest first.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "commands.hpp"
#include "exit_code.hpp"
#include "format.hpp"
#include "metrics.hpp"
#include "run_folder.hpp"
#include "terminal.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;

Json describe(const fs::path& folder) {
  Json row{{"run", folder.string()}};
  try {
    const Json manifest = read_manifest(folder);
    std::string state = manifest["state"];
    // A process that was killed could not say so.
    if (state == "running" && !is_locked(folder)) state = "stopped";
    row["state"] = state;
    for (const char* key :
         {"task", "method", "model", "started", "finished", "step", "steps", "loss", "validation_loss"})
      if (manifest.contains(key)) row[key] = manifest[key];
  } catch (const temper::Error& error) {
    row["state"] = "unreadable";
    row["message"] = error.what();
  }
  return row;
}

std::string cell(const Json& row, const char* key) {
  if (!row.contains(key)) return "-";
  const Json& value = row[key];
  if (value.is_number_float()) return fmt::format("{:.4f}", value.get<double>());
  return temper::printable(value.is_string() ? value.get<std::string>() : value.dump(), 60);
}

}  // namespace

int runs(const RunsOptions& options) {
  const fs::path top = options.folder;
  std::error_code error;
  std::vector<Json> rows;
  if (fs::is_directory(top, error)) {
    if (fs::exists(top / "run.json", error)) rows.push_back(describe(top));
    fs::recursive_directory_iterator at(top, fs::directory_options::skip_permission_denied, error);
    for (const fs::recursive_directory_iterator end; !error && at != end; at.increment(error)) {
      if (at.depth() >= 3) at.disable_recursion_pending();
      if (!at->is_directory(error) || !fs::exists(at->path() / "run.json", error)) continue;
      at.disable_recursion_pending();
      rows.push_back(describe(at->path()));
    }
  } else {
    temper::require(options.folder == "runs", temper::Fault::usage, "runs.missing",
                    "{}: no such folder; expected a folder with runs", temper::shown_path(top));
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Json& a, const Json& b) { return cell(a, "started") > cell(b, "started"); });
  if (options.json) {
    print_line(temper::to_text(Json(rows)));
    return done;
  }
  if (rows.empty()) fmt::print(stderr, "no runs in {}\n", temper::shown_path(top));
  const Screen screen = Screen::of(STDOUT_FILENO);
  for (const Json& row : rows) {
    const std::string state = cell(row, "state");
    const std::string_view colour = state == "completed" ? "32" : state == "running" ? "36" : "33";
    print_line(fmt::format("{}  {:<9}  step {}/{}  loss {}  {}  {}",
                           coloured(screen, colour, fmt::format("{:<10}", state)), cell(row, "method"),
                           cell(row, "step"), cell(row, "steps"), cell(row, "loss"), cell(row, "started"),
                           temper::printable(row["run"].get<std::string>(), 200)));
  }
  return done;
}

}  // namespace temper_cli
