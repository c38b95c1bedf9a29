// SPDX-License-Identifier: MIT
#include "suggestion.hpp"

#include <algorithm>
#include <utility>

#include "recipe_table.hpp"
#include "temper/core/module_names.hpp"
#include "temper/io/file.hpp"

namespace temper_cli {

using temper::edit_distance;

namespace {

std::string folded(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = temper::folded(c);
  return result;
}

std::string_view last_part(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}
std::string_view first_part(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot);
}

// What transformers, PEFT, TRL, axolotl, LLaMA-Factory and torchtune call the same thing.
constexpr std::pair<std::string_view, std::string_view> other_names[] = {
    {"lr", "training.learning_rate"},
    {"r", "adapter.rank"},
    {"lora_r", "adapter.rank"},
    {"lora_rank", "adapter.rank"},
    {"lora_alpha", "adapter.alpha"},
    {"lora_dropout", "adapter.dropout"},
    {"lora_target", "adapter.targets"},
    {"lora_target_modules", "adapter.targets"},
    {"lora_attn_modules", "adapter.targets"},
    {"apply_lora_to_mlp", "adapter.targets"},
    {"apply_lora_to_output", "adapter.targets"},
    {"target_modules", "adapter.targets"},
    {"use_rslora", "adapter.rslora"},
    {"use_dora", "adapter.method"},
    {"peft_type", "adapter.method"},
    {"finetuning_type", "adapter.method"},
    {"loraplus_lr_ratio", "adapter.lora_plus_ratio"},
    {"additional_target", "adapter.modules_to_save"},
    {"num_virtual_tokens", "adapter.virtual_tokens"},
    {"adapter_name_or_path", "adapter.from"},
    {"model_name_or_path", "model"},
    {"model_name", "model"},
    {"model_path", "model"},
    {"base_model", "model"},
    {"teacher_model", "teacher"},
    {"load_in_4bit", "quantization.type"},
    {"load_in_8bit", "quantization.type"},
    {"quantization_bit", "quantization.type"},
    {"bnb_4bit_quant_type", "quantization.type"},
    {"bnb_4bit_use_double_quant", "quantization.double_quant"},
    {"train_file", "data.train"},
    {"dataset", "data.train"},
    {"datasets", "data.train"},
    {"train_data", "data.train"},
    {"validation_file", "data.validation"},
    {"eval_dataset", "data.validation"},
    {"val_size", "data.validation"},
    {"max_seq_length", "data.max_length"},
    {"max_seq_len", "data.max_length"},
    {"sequence_len", "data.max_length"},
    {"cutoff_len", "data.max_length"},
    {"sample_packing", "data.packing"},
    {"packed", "data.packing"},
    {"assistant_only_loss", "data.train_on"},
    {"completion_only_loss", "data.train_on"},
    {"train_on_input", "data.train_on"},
    {"template", "data.chat_template"},
    {"template_args", "data.template_arguments"},
    {"chat_template_kwargs", "data.template_arguments"},
    {"per_device_train_batch_size", "training.batch_size"},
    {"micro_batch_size", "training.batch_size"},
    {"gradient_accumulation_steps", "training.gradient_accumulation"},
    {"grad_accumulation", "training.gradient_accumulation"},
    {"num_train_epochs", "training.epochs"},
    {"num_epochs", "training.epochs"},
    {"max_train_steps", "training.max_steps"},
    {"optim", "training.optimizer"},
    {"adam_beta1", "training.beta1"},
    {"adam_beta2", "training.beta2"},
    {"adam_epsilon", "training.epsilon"},
    {"eps", "training.epsilon"},
    {"lr_scheduler_type", "training.scheduler"},
    {"lr_scheduler", "training.scheduler"},
    {"min_lr", "training.min_learning_rate"},
    {"clip_grad_norm", "training.max_grad_norm"},
    {"gradient_clipping", "training.max_grad_norm"},
    {"gradient_checkpointing", "training.recompute"},
    {"enable_activation_checkpointing", "training.recompute"},
    {"optimizer_in_bwd", "training.update"},
    {"bf16", "training.precision"},
    {"fp16", "training.precision"},
    {"dtype", "training.precision"},
    {"label_smoothing_factor", "objective.label_smoothing"},
    {"loss_type", "objective.loss"},
    {"precompute_ref_log_probs", "objective.cache_reference"},
    {"eval_steps", "evaluation.every_steps"},
    {"patience", "evaluation.early_stopping_patience"},
    {"save_steps", "checkpoint.every_steps"},
    {"save_total_limit", "checkpoint.keep"},
    {"output_dir", "output"},
    {"num_threads", "threads"},
};

// Edits that are forgiven in a name of this length; beyond them a suggestion would be a guess.
std::size_t forgiven(std::size_t length) { return length <= 3 ? 1 : length <= 5 ? 2 : (length + 1) / 3; }

}  // namespace

std::string nearest_word(std::string_view word, const std::vector<std::string_view>& names) {
  if (word.size() > 100) return "";
  std::string_view best;
  std::size_t least = forgiven(word.size()) + 1;
  for (const std::string_view name : names) {
    const std::size_t distance = edit_distance(word, name);
    if (distance < least) least = distance, best = name;
  }
  return std::string(best);
}

std::string nearest_key(std::string_view section, std::string_view name, std::string_view task) {
  if (name.empty() || name.size() > 100) return "";
  const std::string word = folded(name);

  // In doubled units, so that half an edit can prefer the section that the name stands in.
  std::string_view best;
  std::size_t least = 2 * forgiven(name.size()) + 2;
  const auto consider = [&](std::string_view path, std::string_view spelling, std::size_t penalty) {
    const std::size_t distance = 2 * edit_distance(name, spelling) + penalty;
    if (distance < least) least = distance, best = path;
  };
  for (const Key& key : keys) {
    if (!belongs_to(key, task)) continue;
    const bool here = first_part(key.path) == section;
    consider(key.path, last_part(key.path), here ? 0 : 1);
  }
  if (section.empty())
    for (const std::string_view known : sections) consider(known, known, 0);
  if (least == 0) return std::string(best);
  for (const auto& [spelling, path] : other_names)
    if (spelling == word && find_key(path, task)) return std::string(path);
  if (least <= 2 || word.size() < 4) return std::string(best);
  // A key's beginning, or a word of it: 'warmup', 'grad_norm', 'smoothing'.
  const auto consider_part = [&](std::string_view path, std::string_view last, std::size_t penalty) {
    const std::size_t longer = std::max(last.size(), word.size()), shorter = std::min(last.size(), word.size());
    const bool part = last.find(word) != std::string_view::npos || word.find(last) != std::string::npos;
    if (!last.starts_with(word) && (!part || 2 * shorter < longer)) return;
    if (3 + penalty < least) least = 3 + penalty, best = path;
  };
  for (const Key& key : keys)
    if (belongs_to(key, task)) consider_part(key.path, last_part(key.path), first_part(key.path) == section ? 0 : 1);
  if (section.empty())
    for (const std::string_view known : sections) consider_part(known, known, 0);
  return std::string(best);
}

std::string inner_folder_hint(const std::filesystem::path& folder, const char* file) {
  // A classifier's adapter has a config.json too, and is no model.
  const std::filesystem::path inner = folder / (file == std::string_view("adapter_config.json") ? "adapter" : "model");
  std::error_code error;
  return std::filesystem::exists(inner / file, error) ? fmt::format("; did you mean '{}'?", temper::shown_path(inner))
                                                      : std::string();
}

}  // namespace temper_cli
