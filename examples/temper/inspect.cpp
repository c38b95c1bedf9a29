// SPDX-License-Identifier: MIT
// 'temper inspect': the tensors of a weights file, a model's, an adapter's or a run's folder, and what their
// configuration says; or how fast and into how many tokens a tokenizer turns a file.
#include <unistd.h>

#include <set>

#include "commands.hpp"
#include "exit_code.hpp"
#include "format.hpp"
#include "members_text.hpp"
#include "metrics.hpp"
#include "run_folder.hpp"
#include "temper/io/weight_folder.hpp"
#include "temper/model/stored_codes.hpp"
#include "terminal.hpp"
#include "tokenize.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;

bool there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

struct Found {
  Json about = Json::object();  // what is not a tensor
  std::vector<temper::TensorInfo> tensors;
};

void add_file(Found& found, const fs::path& path) {
  const temper::SafetensorsFile file(path);
  for (const temper::TensorInfo& tensor : file.tensors()) found.tensors.push_back(tensor);
  for (const auto& [key, value] : file.metadata()) found.about["metadata"][key] = value;
}

void add_folder(Found& found, const fs::path& folder) {
  if (there(folder / "run.json")) {
    found.about["kind"] = "run";
    found.about["manifest"] = read_manifest(folder);
    for (const char* part : {"adapter", "model"})
      if (there(folder / part)) add_folder(found, folder / part);
    return;
  }
  const bool adapter = there(folder / "adapter_config.json");
  if (!found.about.contains("kind")) found.about["kind"] = adapter ? "adapter" : "model";
  if (adapter) {
    found.about["adapter_config"] = temper::read_json(folder / "adapter_config.json");
    if (there(folder / "config.json")) found.about["config"] = temper::read_json(folder / "config.json");
    add_file(found, folder / "adapter_model.safetensors");
    return;
  }
  if (there(folder / "config.json")) found.about["config"] = temper::read_json(folder / "config.json");
  const temper::WeightFolder weights(folder);
  for (const temper::TensorInfo& tensor : weights.tensors()) found.tensors.push_back(tensor);
}

Found look_at(const fs::path& path) {
  temper::require(there(path), temper::Fault::usage, "inspect.missing",
                  "{}: no such file or folder; expected a weights file, a model, an adapter or a run",
                  temper::shown_path(path));
  Found found;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    add_folder(found, path);
  } else {
    found.about["kind"] = "file";
    add_file(found, path);
  }
  return found;
}

// The weight that a tensor belongs to, by its name, if it only says how codes are read; whatever they are codes of.
std::string weight_of(std::string_view name) {
  for (const temper::Coding coding : {temper::Coding::nf4, temper::Coding::fp4, temper::Coding::int8})
    if (std::string weight = temper::weight_of_part(name, coding); !weight.empty()) return weight;
  return "";
}

// Of the model: two a byte where weights are codes of 4 bits, as the state beside them says, and none for what only
// says how codes are read. Of a shard alone, their weight may stand in another.
temper::Index parameters(const Found& found) {
  std::set<std::string, std::less<>> in_blocks, dense;
  for (const temper::TensorInfo& tensor : found.tensors) {
    if (tensor.name.find(temper::code_state) != std::string::npos) in_blocks.insert(weight_of(tensor.name));
    if (!temper::holds_codes(tensor)) dense.insert(tensor.name);
  }
  temper::Index count = 0;
  for (const temper::TensorInfo& tensor : found.tensors) {
    const std::string weight = weight_of(tensor.name);
    if (weight.ends_with(".weight") && !dense.contains(weight)) continue;
    count += tensor.count() * (tensor.dtype == "U8" && in_blocks.contains(tensor.name) ? 2 : 1);
  }
  return count;
}

void print_json(const std::string& path, const Found& found) {
  Json result{{"path", path}};
  result.update(found.about);
  Json tensors = Json::array();
  std::size_t bytes = 0;
  for (const temper::TensorInfo& tensor : found.tensors) {
    tensors.push_back(
        {{"name", tensor.name}, {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"bytes", tensor.bytes.size()}});
    bytes += tensor.bytes.size();
  }
  result["parameters"] = parameters(found);
  result["bytes"] = bytes;
  result["tensors"] = std::move(tensors);
  print_line(temper::to_text(result));
}

void print_text(const std::string& path, const Found& found) {
  const Screen screen = Screen::of(STDOUT_FILENO);
  print_line(coloured(screen, "1", temper::printable(path, 400)) + "  " + found.about.value("kind", ""));
  for (const char* part : {"manifest", "config", "adapter_config", "metadata"})
    if (found.about.contains(part)) {
      print_line(coloured(screen, "1", part));
      std::string members = members_text(found.about[part], 2);
      if (members.empty()) continue;
      members.pop_back();  // the last line feed
      print_line(members);
    }
  std::size_t width = 4;
  for (const temper::TensorInfo& tensor : found.tensors)
    width = std::max(width, std::min<std::size_t>(temper::printable(tensor.name, 100).size(), 80));
  std::size_t bytes = 0;
  for (const temper::TensorInfo& tensor : found.tensors) {
    print_line(fmt::format("{:<{}}  {:<5} {:<16} {:>11}", temper::printable(tensor.name, 100), width, tensor.dtype,
                           fmt::format("[{}]", fmt::join(tensor.shape, ", ")), bytes_text(tensor.bytes.size())));
    bytes += tensor.bytes.size();
  }
  print_line(fmt::format("{}, {} parameters, {}",
                         counted_text(static_cast<std::int64_t>(found.tensors.size()), "tensor"),
                         count_text(parameters(found)), bytes_text(bytes)));
}

int tokenize(const InspectOptions& options) {
  temper::require(!options.tokenizer.empty(), temper::Fault::usage, "inspect.tokenizer",
                  "--tokenize needs a tokenizer; expected --tokenizer DIR");
  const TokenizeResult result = tokenize_lines(options.tokenizer, options.tokenize, options.threads.value_or(0));
  if (options.json)
    print_line(temper::to_text({{"bytes", result.bytes}, {"tokens", result.tokens}, {"seconds", result.seconds}}));
  else
    print_line(fmt::format("{} bytes, {} tokens, {}, {} MB/s", count_text(static_cast<std::int64_t>(result.bytes)),
                           count_text(static_cast<std::int64_t>(result.tokens)), duration_text(result.seconds),
                           rate_text(static_cast<double>(result.bytes) / 1e6 / std::max(result.seconds, 1e-9))));
  return done;
}

}  // namespace

int inspect(const InspectOptions& options) {
  if (!options.tokenize.empty()) return tokenize(options);
  temper::require(!options.path.empty(), temper::Fault::usage, "inspect.nothing",
                  "there is nothing to inspect; expected a file or a folder, or --tokenize FILE --tokenizer DIR");
  const Found found = look_at(options.path);
  if (options.json) {
    print_json(options.path, found);
  } else {
    print_text(options.path, found);
  }
  return done;
}

}  // namespace temper_cli
