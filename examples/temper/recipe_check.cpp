// SPDX-License-Identifier: MIT
// What the table cannot say: keys that need each other, and paths that must be there.
#include <algorithm>
#include <system_error>

#include "recipe.hpp"
#include "reward_source.hpp"
#include "suggestion.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;

class Checks {
 public:
  Checks(const Recipe& recipe, std::vector<Mistake>& mistakes) : recipe_(recipe), mistakes_(mistakes) {}

  void run() {
    check_evaluation();
    check_quantization();
    check_training();
    if (recipe_.is("task", "ppo")) check_policy();
    check_columns();
    check_paths();
  }

 private:
  void complain(KeyPath key, std::string sentence) {
    mistakes_.push_back({recipe_.origin_of(key), std::string(key.path), std::move(sentence)});
  }

  void check_evaluation() {
    if (recipe_.has("data.validation") || !recipe_.origin_of("data.validation").sound) return;
    if (recipe_.has("evaluation.every_steps"))
      complain("evaluation.every_steps", "there is nothing to evaluate on; expected data.validation to be set");
    if (recipe_.has("evaluation.early_stopping_patience"))
      complain("evaluation.early_stopping_patience",
               "there is nothing to evaluate on; expected data.validation to be set");
    if (recipe_.is("checkpoint.keep", "best"))
      complain("checkpoint.keep", "'best' needs a validation loss; expected data.validation to be set");
  }

  void check_quantization() {
    const bool quantized = !recipe_.is("quantization.type", "none");
    if (recipe_.is("adapter.method", "full") && quantized)
      complain("quantization.type",
               "the whole model is trained, which quantized weights cannot be; expected none, or "
               "an adapter");
    if (recipe_.is("adapter.method", "qlora") && recipe_.given("quantization.type") &&
        !recipe_.is("quantization.type", "nf4"))
      complain("quantization.type", "qlora is lora on nf4; expected nf4");
  }

  void check_training() {
    check_optimizer();
    check_trained_matrices();
    if (recipe_.boolean("training.nesterov") && recipe_.number("training.momentum") == 0)
      complain("training.nesterov", "needs a momentum; expected training.momentum above 0");
    if (recipe_.has("training.learning_rate") &&
        recipe_.number("training.min_learning_rate") > recipe_.number("training.learning_rate"))
      complain("training.min_learning_rate", "is above training.learning_rate; expected at most that");
    if (recipe_.is("task", "dpo") && recipe_.number("objective.label_smoothing") > 0 &&
        !recipe_.is("objective.loss", "sigmoid") && !recipe_.is("objective.loss", "simpo"))
      complain("objective.label_smoothing", fmt::format("has no meaning with loss {}; expected 0, or sigmoid or simpo",
                                                        recipe_.text("objective.loss")));
    if (recipe_.is("task", "dpo") && recipe_.boolean("objective.cache_reference") &&
        (recipe_.is("objective.loss", "simpo") || recipe_.is("objective.loss", "orpo")))
      complain("objective.cache_reference",
               fmt::format("has no meaning with loss {}, which has no reference; expected false",
                           recipe_.text("objective.loss")));
    if (recipe_.is("task", "distillation") && !recipe_.has("teacher"))
      complain("teacher", "is missing; expected the path of the teacher's folder");
  }

  // A setting that the rule does not read would be a promise that nobody keeps.
  void check_optimizer() {
    const std::string rule = recipe_.text("training.optimizer");
    struct Reader {
      KeyPath key;
      std::string_view rules;
    };
    for (const auto& [key, rules] : {Reader{"training.momentum", "sgd muon"},
                                     {"training.nesterov", "sgd muon"},
                                     {"training.beta1", "adamw adamw_8bit lion muon"},
                                     {"training.beta2", "adamw adamw_8bit lion muon"},
                                     {"training.epsilon", "adamw adamw_8bit muon"}}) {
      if (has_word(rules, rule) || recipe_.value(key) == Json::parse(find_key(key.path)->fallback)) continue;
      complain(key, fmt::format("the rule {} has no such setting; expected it to be left out, or training.optimizer "
                                "one of {}",
                                rule, rules));
    }
  }

  // How matrices of the model are held and moved is asked of those that are trained.
  void check_trained_matrices() {
    const bool narrow = recipe_.is("training.precision", "bf16"), early = recipe_.is("training.update", "in_backward"),
               thin = recipe_.is("training.gradients", "bf16");
    if (!recipe_.is("adapter.method", "full") && recipe_.value("adapter.modules_to_save").empty()) {
      constexpr std::string_view none =
          "is about matrices of the model that are trained, and here only an adapter is; expected {}, adapter.method "
          "full, or adapter.modules_to_save";
      if (narrow) complain("training.precision", fmt::format(none, "fp32"));
      if (early) complain("training.update", fmt::format(none, "after_backward"));
      if (thin) complain("training.gradients", fmt::format(none, "fp32"));
      return check_early_update();
    }
    if (thin && !narrow)
      complain("training.gradients", "are held in bf16 beside weights in bf16; expected training.precision bf16");
    if (thin && early)
      complain("training.gradients", "are not held with training.update in_backward; expected fp32, or after_backward");
    check_early_update();
  }

  void check_early_update() {
    if (!recipe_.is("training.update", "in_backward")) return;
    if (recipe_.has("training.max_grad_norm") && recipe_.number("training.max_grad_norm") > 0)
      complain("training.max_grad_norm",
               "is of all gradients, of which training.update in_backward never has more than one; expected null");
    if (recipe_.integer("training.gradient_accumulation") > 1)
      complain("training.gradient_accumulation",
               "adds gradients up, which training.update in_backward does not hold; expected 1");
    if (recipe_.is("task", "ppo"))
      complain("training.update", "in_backward is not built for task ppo; expected after_backward");
  }

  void check_policy() {
    int rewards = 0;
    for (const KeyPath key :
         {KeyPath("reward_model"), KeyPath("objective.reward_command"), KeyPath("objective.reward_rule")})
      if (recipe_.has(key) && ++rewards == 2)
        complain(key,
                 "is one reward too many; expected one of reward_model, objective.reward_command and "
                 "objective.reward_rule");
    if (rewards == 0 && !recipe_.has("objective.rollouts"))
      complain("reward_model",
               "is missing; expected a reward: reward_model, objective.reward_command, "
               "objective.reward_rule or objective.rollouts");
    if (!recipe_.is("objective.advantage", "gae") && recipe_.integer("objective.group_size") < 2)
      complain("objective.group_size", "is 1, but answers are compared with each other; expected 2 or more");
    if (recipe_.has("objective.kl_target") && recipe_.number("objective.kl") == 0)
      complain("objective.kl_target", "adapts objective.kl, which is 0 and stays so; expected objective.kl above 0");
    if (recipe_.number("adapter.dropout") > 0)
      complain("adapter.dropout",
               "would make the policy differ from itself, with whose probabilities it is compared; "
               "expected 0 with task ppo");
    if (recipe_.has("data.validation"))
      complain("data.validation", "cannot be evaluated: answers have rewards and no loss; expected null with task ppo");
    if (!recipe_.is("data.format", "auto") && !recipe_.is("data.format", "instruction"))
      complain("data.format", "has no meaning with task ppo, whose rows have a prompt; expected auto");
    if (!recipe_.has("objective.reward_rule")) return;
    try {
      open_reward_rule(recipe_.text("objective.reward_rule"));
    } catch (const temper::Error& error) {
      const std::string_view sentence = error.what();
      complain("objective.reward_rule", std::string(sentence.substr(sentence.find(": ", sizeof("temper: ")) + 2)));
    }
  }

  void check_columns() {
    const std::vector<std::string_view> fields = {
        "text",     "input",  "prompt",    "completion",    "response",        "output",     "instruction",
        "messages", "tools",  "documents", "conversations", "conversation_id", "role",       "content",
        "name",     "system", "chosen",    "rejected",      "label",           "tool_calls", "tool_call_id"};
    for (const auto& [field, column] : recipe_.value("data.columns").items()) {
      if (std::find(fields.begin(), fields.end(), field) != fields.end()) continue;
      const std::string near = nearest_word(field, fields);
      complain("data.columns",
               fmt::format("'{}' is no field of ours{}; expected one of {}", temper::printable(field, 60),
                           near.empty() ? "" : fmt::format("; did you mean '{}'?", near), fmt::join(fields, ", ")));
    }
  }

  void check_paths() {
    for (const KeyPath key : {KeyPath("model"), KeyPath("teacher"), KeyPath("reward_model"), KeyPath("adapter.from"),
                              KeyPath("data.train")})
      for (const std::string& path : recipe_.texts(key)) check_there(key, path);
    if (recipe_.is("task", "ppo") && recipe_.has("objective.rollouts"))
      check_there("objective.rollouts", recipe_.text("objective.rollouts"));
    if (!recipe_.value("data.validation").is_number())
      for (const std::string& path : recipe_.texts("data.validation")) check_there("data.validation", path);
    if (recipe_.has("data.chat_template")) {
      const std::string text = recipe_.text("data.chat_template");
      if (text != "none" && text.starts_with('/') && text.find_first_of("{\n") == std::string::npos)
        check_there("data.chat_template", text);
    }
  }

  void check_there(KeyPath key, const std::string& path) {
    std::error_code error;
    if (fs::exists(path, error)) return;
    const bool is_model = key.path == "model" || key.path == "teacher" || key.path == "reward_model";
    complain(key, fmt::format("{} does not exist; expected a path that does{}", temper::shown_path(path),
                              is_model ? "; a model is a folder on this disk, nothing is downloaded" : ""));
  }

  const Recipe& recipe_;
  std::vector<Mistake>& mistakes_;
};

}  // namespace

void check_recipe(const Recipe& recipe, std::vector<Mistake>& mistakes) { Checks(recipe, mistakes).run(); }

}  // namespace temper_cli
