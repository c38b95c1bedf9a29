// SPDX-License-Identifier: MIT
// Every key of a recipe, once: its path, kind, default, allowed words and meaning. Reading, type checks, defaults,
// suggestions, --set and 'temper recipe' all come from this table.
#pragma once
#include <array>
#include <cstddef>
#include <string_view>

namespace temper_cli {

enum class Kind {
  word,        // one of 'words'
  text,        // any string
  path,        // a file or folder
  paths,       // one path or a list of paths
  validation,  // as paths, or a fraction between 0 and 1
  template_,   // a template's text, a path, or "none"
  texts,       // a list of strings
  targets,     // "all-linear" or a list of strings
  boolean,
  integer,
  number,
  columns,  // an object of strings, any key
  object,   // an object, any key and value
};

struct Range {
  double low = 0, high = 0;
  std::string_view name{};  // as a message says it; empty: any
};
inline constexpr Range any_value{}, zero_or_more{0, 1e300, "0 or more"}, one_or_more{1, 2147483647, "1 or more"},
    count_or_zero{0, 2147483647, "0 or more"}, above_zero{1e-300, 1e300, "a number above 0"},
    zero_to_one{0, 1, "between 0 and 1"}, below_one{0, 0.99999999999999989, "0 or more and below 1"},
    steps_range{1, 1e7, "1 to 10,000,000"}, seed_range{0, 18446744073709551615.0, "0 or more"};

inline constexpr std::string_view required = "";

struct Key {
  std::string_view path;
  Kind kind;
  std::string_view
      fallback;  // the default as JSON; 'required' where there is none; a key whose default is null may be null
  Range range;
  std::string_view words;  // allowed, separated by spaces
  std::string_view later;  // known to the contract, not built yet
  std::string_view tasks;  // the tasks that know this key; empty: all
  std::string_view meaning;
};

inline constexpr std::string_view sft = "sft pretrain", pairs = "dpo", roll = "ppo";

inline constexpr std::array keys = {
    Key{"task", Kind::word, required, any_value, "sft pretrain dpo reward ppo classification distillation", "", "",
        "what is optimised; sft takes text rows too"},
    Key{"model", Kind::path, required, any_value, "", "", "", "the Hugging Face folder of the model that is trained"},
    Key{"teacher", Kind::path, "null", any_value, "", "", "", "distillation: the model that is imitated"},
    Key{"reward_model", Kind::path, "null", any_value, "", "", "", "ppo: the model that scores answers"},

    Key{"adapter.method", Kind::word, "\"lora\"", any_value, "lora qlora dora prompt full", "", "",
        "what is trained: low-rank adapters, with magnitudes or without, states before the text, or the whole model"},
    Key{"adapter.rank", Kind::integer, "16", one_or_more, "", "", "", "rank of the update"},
    Key{"adapter.alpha", Kind::number, "32", above_zero, "", "", "", "scale: the update counts alpha / rank"},
    Key{"adapter.dropout", Kind::number, "0.0", below_one, "", "", "", "share of the adapter's inputs set to zero"},
    Key{"adapter.rslora", Kind::boolean, "false", any_value, "", "", "", "scale alpha / sqrt(rank) instead"},
    Key{"adapter.targets", Kind::targets, "\"all-linear\"", any_value, "", "", "",
        "projections that carry an adapter: all-linear, or a list such as [\"q_proj\", \"v_proj\"]"},
    Key{"adapter.bias", Kind::word, "\"none\"", any_value, "none all lora_only", "", "", "biases that are trained"},
    Key{"adapter.modules_to_save", Kind::texts, "[]", any_value, "", "", "",
        "whole modules trained beside the adapter, such as [\"lm_head\"]"},
    Key{"adapter.lora_plus_ratio", Kind::number, "null", above_zero, "", "", "", "learning rate of B over that of A"},
    Key{"adapter.from", Kind::path, "null", any_value, "", "", "", "a PEFT adapter folder to go on training"},
    Key{"adapter.virtual_tokens", Kind::integer, "20", one_or_more, "", "", "", "prompt tuning: tokens put in front"},

    Key{"quantization.type", Kind::word, "\"none\"", any_value, "none nf4 fp4 int8", "", "",
        "how frozen weights are held"},
    Key{"quantization.double_quant", Kind::boolean, "true", any_value, "", "", "", "quantize the scales too"},
    Key{"quantization.skip", Kind::texts, "[]", any_value, "", "", "", "layers that are left alone"},

    Key{"data.train", Kind::paths, required, any_value, "", "", "", "rows to train on: a path or a list of paths"},
    Key{"data.validation", Kind::validation, "null", any_value, "", "", "",
        "rows to evaluate on: a path, a list, or a fraction of train such as 0.1"},
    Key{"data.format", Kind::word, "\"auto\"", any_value,
        "auto text instruction chat alpaca sharegpt preference classification", "", "",
        "what a row is; auto looks at the fields"},
    Key{"data.columns", Kind::columns, "{}", any_value, "", "", "", "our field -> the file's column"},
    Key{"data.max_length", Kind::integer, "2048", Range{2, 2147483647, "2 or more"}, "", "", "",
        "tokens of a row; longer rows are cut"},
    Key{"data.packing", Kind::boolean, "true", any_value, "", "", "", "put rows together up to max_length tokens"},
    Key{"data.shuffle", Kind::boolean, "true", any_value, "", "", "", "draw each epoch's order from the seed"},
    Key{"data.max_samples", Kind::integer, "null", one_or_more, "", "", "", "use only this many rows"},
    Key{"data.train_on", Kind::word, "\"assistant\"", any_value, "assistant completion all", "", "",
        "what is learned: all assistant turns, the last one, or every token"},
    Key{"data.system_prompt", Kind::text, "null", any_value, "", "", "", "put before conversations that have none"},
    Key{"data.template_arguments", Kind::object, "{}", any_value, "", "", "", "more variables for the chat template"},
    Key{"data.chat_template", Kind::template_, "null", any_value, "", "", "",
        "a file or a template's text; null: the tokenizer's own; none: no template"},

    Key{"training.learning_rate", Kind::number, "null", zero_or_more, "", "", "",
        "null: 1e-4 with an adapter, 5e-6 for full"},
    Key{"training.batch_size", Kind::integer, "4", one_or_more, "", "", "", "rows in a micro-batch"},
    Key{"training.gradient_accumulation", Kind::integer, "1", one_or_more, "", "", "", "micro-batches in a step"},
    Key{"training.epochs", Kind::integer, "1", one_or_more, "", "", "", "passes over the rows"},
    Key{"training.max_steps", Kind::integer, "null", steps_range, "", "", "", "stop after this many steps instead"},
    Key{"training.optimizer", Kind::word, "\"adamw\"", any_value, "adamw sgd adafactor lion adamw_8bit muon", "", "",
        "the rule of an update"},
    Key{"training.momentum", Kind::number, "0.0", below_one, "", "", "", "sgd, muon"},
    Key{"training.nesterov", Kind::boolean, "false", any_value, "", "", "", "sgd, muon"},
    Key{"training.beta1", Kind::number, "0.9", below_one, "", "", "",
        "adamw, adamw_8bit, lion, muon's vectors: decay of the first moment"},
    Key{"training.beta2", Kind::number, "0.999", below_one, "", "", "", "the same: decay of the second moment"},
    Key{"training.epsilon", Kind::number, "1e-8", zero_or_more, "", "", "",
        "adamw, adamw_8bit, muon's vectors: added to the root"},
    Key{"training.weight_decay", Kind::number, "0.01", zero_or_more, "", "", "", "decoupled; on matrices alone"},
    Key{"training.scheduler", Kind::word, "\"linear\"", any_value, "constant linear cosine wsd", "", "",
        "how the learning rate goes down"},
    Key{"training.warmup_steps", Kind::integer, "null", count_or_zero, "", "", "", "null: warmup_ratio x steps"},
    Key{"training.warmup_ratio", Kind::number, "0.03", zero_to_one, "", "", "", "share of the steps that warm up"},
    Key{"training.min_learning_rate", Kind::number, "0.0", zero_or_more, "", "", "", "the rate does not go below"},
    Key{"training.max_grad_norm", Kind::number, "1.0", zero_or_more, "", "", "",
        "longer gradients are shortened to this norm; null or 0: never"},
    Key{"training.seed", Kind::integer, "42", seed_range, "", "", "", "order, dropout and first values depend on it"},
    Key{"training.recompute", Kind::word, "\"none\"", any_value, "none blocks", "", "",
        "compute again what backward needs"},
    Key{"training.update", Kind::word, "\"after_backward\"", any_value, "after_backward in_backward", "", "",
        "when weights move; in_backward holds no gradients of matrices, and neither clips nor accumulates"},
    Key{"training.precision", Kind::word, "\"fp32\"", any_value, "fp32 bf16", "", "",
        "how trained matrices of the model are held: bf16 with stochastic rounding is half the bytes"},
    Key{"training.gradients", Kind::word, "\"fp32\"", any_value, "fp32 bf16", "", "",
        "how gradients of matrices in bf16 are held and added up: bf16 with stochastic rounding is half the bytes"},

    Key{"objective.label_smoothing", Kind::number, "0.0", below_one, "", "", sft,
        "share of the target spread over all"},
    Key{"objective.z_loss", Kind::number, "0.0", zero_or_more, "", "", sft, "weight of mean(logsumexp^2)"},
    Key{"objective.loss", Kind::word, "\"sigmoid\"", any_value, "sigmoid ipo hinge simpo orpo", "", pairs,
        "the pair loss"},
    Key{"objective.beta", Kind::number, "0.1", above_zero, "", "", pairs, "strength of the preference"},
    Key{"objective.label_smoothing", Kind::number, "0.0", below_one, "", "", pairs,
        "share of labels that may be wrong"},
    Key{"objective.gamma", Kind::number, "0.5", zero_or_more, "", "", pairs, "simpo: the margin"},
    Key{"objective.cache_reference", Kind::boolean, "false", any_value, "", "", pairs,
        "let the reference read the rows once and keep what it says in the run's folder"},
    Key{"objective.center_coefficient", Kind::number, "null", zero_or_more, "", "", "reward", "pulls rewards to zero"},
    Key{"objective.kl", Kind::number, "0.05", zero_or_more, "", "", roll, "weight of the KL in the reward"},
    Key{"objective.kl_estimator", Kind::word, "\"k1\"", any_value, "k1 k3", "", roll,
        "the KL of a token: log-ratio, or the estimate that is never below 0"},
    Key{"objective.kl_target", Kind::number, "null", above_zero, "", "", roll,
        "KL of an answer that kl is adapted to hold; null: kl stays"},
    Key{"objective.kl_horizon", Kind::number, "10000", above_zero, "", "", roll,
        "answers in which an adapted kl moves by at most a fifth"},
    Key{"objective.clip", Kind::number, "0.2", above_zero, "", "", roll, "range of the probability ratio"},
    Key{"objective.value_clip", Kind::number, "0.2", above_zero, "", "", roll, "range of the value"},
    Key{"objective.value_coefficient", Kind::number, "0.1", zero_or_more, "", "", roll, "weight of the value loss"},
    Key{"objective.gamma", Kind::number, "1.0", zero_to_one, "", "", roll, "discount"},
    Key{"objective.lambda", Kind::number, "0.95", zero_to_one, "", "", roll, "of the advantage estimate"},
    Key{"objective.epochs", Kind::integer, "4", one_or_more, "", "", roll, "passes over a batch of rollouts"},
    Key{"objective.minibatches", Kind::integer, "1", one_or_more, "", "", roll, "updates in a pass"},
    Key{"objective.max_new_tokens", Kind::integer, "64", one_or_more, "", "", roll, "length of an answer"},
    Key{"objective.temperature", Kind::number, "0.7", above_zero, "", "", roll, "of the sampling"},
    Key{"objective.missing_eos_penalty", Kind::number, "null", zero_or_more, "", "", roll, "for answers without end"},
    Key{"objective.advantage", Kind::word, "\"gae\"", any_value, "gae group leave_one_out", "", roll, "the estimate"},
    Key{"objective.group_size", Kind::integer, "8", one_or_more, "", "", roll, "answers to one prompt"},
    Key{"objective.rollouts", Kind::path, "null", any_value, "", "", roll, "answers from a file instead of sampling"},
    Key{"objective.reward_command", Kind::text, "null", any_value, "", "", roll, "a program that scores answers"},
    Key{"objective.reward_rule", Kind::text, "null", any_value, "", "", roll, "a rule that scores answers"},
    Key{"objective.problem", Kind::word, "\"single_label\"", any_value, "single_label multi_label regression", "",
        "classification", "what a label is"},
    Key{"objective.pooling", Kind::word, "\"last\"", any_value, "last mean", "", "classification",
        "what of a text is scored: its last token, as transformers does, or the mean over its tokens"},
    Key{"objective.class_weights", Kind::object, "{}", any_value, "", "", "classification",
        "label -> how often its rows count; 1 where it is not named"},
    Key{"objective.temperature", Kind::number, "1.0", above_zero, "", "", "distillation", "softens both sides"},
    Key{"objective.alpha", Kind::number, "1.0", zero_to_one, "", "", "distillation",
        "weight of the teacher against the text"},
    Key{"objective.divergence", Kind::word, "\"forward\"", any_value, "forward reverse jsd", "", "distillation",
        "which divergence from the teacher"},
    Key{"objective.cache_teacher", Kind::integer, "null", one_or_more, "", "", "distillation",
        "keep so many of the teacher's largest logits a token in the run's folder, and train without the teacher"},

    Key{"evaluation.every_steps", Kind::integer, "null", one_or_more, "", "", "", "evaluate after every n steps"},
    Key{"evaluation.early_stopping_patience", Kind::integer, "null", one_or_more, "", "", "",
        "stop after this many evaluations without a better loss"},
    Key{"evaluation.early_stopping_threshold", Kind::number, "0.0", zero_or_more, "", "", "",
        "a loss is better when it is lower by more than this"},

    Key{"checkpoint.every_steps", Kind::integer, "null", one_or_more, "", "", "", "save after every n steps"},
    Key{"checkpoint.keep", Kind::word, "\"latest\"", any_value, "latest all best", "", "", "which checkpoints stay"},

    Key{"device", Kind::word, "\"auto\"", any_value, "auto cpu", "cuda", "", "where it runs"},
    Key{"threads", Kind::integer, "null", Range{1, 1024, "1 to 1024"}, "", "", "",
        "null: all cores; results do not depend on it"},
    Key{"output", Kind::path, required, any_value, "", "", "", "the run's folder"},
};

inline constexpr std::array<std::string_view, 7> sections = {"adapter",   "quantization", "data",      "training",
                                                             "objective", "evaluation",   "checkpoint"};

constexpr bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t space = words.find(' ');
    if (words.substr(0, space) == word) return true;
    words = space == std::string_view::npos ? std::string_view{} : words.substr(space + 1);
  }
  return false;
}

constexpr bool belongs_to(const Key& key, std::string_view task) {
  return key.tasks.empty() || has_word(key.tasks, task);
}

// The key of that path that 'task' knows; without a task, the first of that path.
constexpr const Key* find_key(std::string_view path, std::string_view task = {}) {
  const Key* other = nullptr;
  for (const Key& key : keys) {
    if (key.path != path) continue;
    if (belongs_to(key, task)) return &key;
    if (!other) other = &key;
  }
  return task.empty() ? other : nullptr;
}

// A key's path that the compiler has looked up: a misspelt one does not compile.
struct KeyPath {
  std::string_view path;
  // NOLINTNEXTLINE(google-explicit-constructor): so that recipe.number("adapter.alpha") is checked where it stands
  consteval KeyPath(const char* name) : path(name) {
    if (!find_key(path)) throw "no such key in the table";
  }
};

}  // namespace temper_cli
