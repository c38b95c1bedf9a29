// SPDX-License-Identifier: MIT
// 'temper merge': an adapter folded into its model, as a folder of its own.
#include "temper/adapter/merge.hpp"

#include "commands.hpp"
#include "exit_code.hpp"
#include "merge_certificate.hpp"
#include "metrics.hpp"
#include "run_folder.hpp"
#include "storage_settings.hpp"
#include "suggestion.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;

// Replacing a folder must not remove what is merged.
void refuse_to_replace(const fs::path& output, const fs::path& input) {
  std::error_code error;
  const fs::path replaced = fs::weakly_canonical(output, error), whole = fs::weakly_canonical(input, error);
  const auto differ = std::mismatch(replaced.begin(), replaced.end(), whole.begin(), whole.end());
  temper::require(differ.first != replaced.end(), temper::Fault::usage, "merge.holds_input",
                  "{}: holds {}, which is to be merged; expected another output", temper::shown_path(output),
                  temper::shown_path(input));
}

void require_there(const fs::path& folder, const char* what) {
  std::error_code error;
  temper::require(fs::exists(folder, error), temper::Fault::usage, "merge.missing", "{}: no such folder; expected {}",
                  temper::shown_path(folder), what);
}

}  // namespace

int merge(const MergeOptions& options) {
  const fs::path model = options.model, adapter = options.adapter;
  const fs::path output = fs::absolute(options.output).lexically_normal();
  require_there(model, "a model's folder");
  require_there(adapter, "a PEFT adapter's folder");
  for (const auto& [folder, file] : {std::pair(model, "config.json"), std::pair(adapter, "adapter_config.json")})
    temper::require(fs::exists(folder / file), temper::Fault::data, "merge.incomplete", "{}: has no {}; expected it{}",
                    temper::shown_path(folder), file, inner_folder_hint(folder, file));
  check_output(output, options.force ? Force::yes : Force::no);
  refuse_to_replace(output, model);
  refuse_to_replace(output, adapter);
  temper::NewFolder folder(output, options.force ? temper::Existing::replaced : temper::Existing::refused);
  std::vector<temper::MatrixLoss> losses =
      temper::merge_adapter(model, adapter, folder.path(), coding_named(options.quantization));
  temper::Json result{{"output", options.output}};
  if (options.quantization != "none") {
    const MergeCertificate certificate =
        certify(model, adapter, folder.path(), options.quantization, std::move(losses));
    if (certificate.loses_most())
      fmt::print(stderr, "temper: warning: {}\n",
                 loss_warning(certificate, options.output,
                              "merge without --quantization, or keep the adapter beside its base"));
    result["certificate"] = to_json(certificate);
    if (!options.json) print_line(certificate_text(certificate));
  }
  folder.publish();
  print_line(options.json ? temper::to_text(result) : options.output);
  return done;
}

}  // namespace temper_cli
