// SPDX-License-Identifier: MIT
// The engine of one adapter A, on the CPU in float. The optimizer is chosen while the program runs, so that adapters
// are not multiplied by optimizers.
#pragma once
#include <functional>
#include <numeric>
#include <optional>

#include "engine.hpp"
#include "policy_part.hpp"
#include "storage_settings.hpp"
#include "teacher.hpp"
#include "temper/adapter/full.hpp"
#include "temper/adapter/peft.hpp"
#include "temper/backend/cpu.hpp"
#include "temper/model/folder.hpp"
#include "temper/objective/any_objective.hpp"
#include "temper/objective/causal_lm.hpp"
#include "temper/objective/classification.hpp"
#include "temper/objective/distillation.hpp"
#include "temper/objective/dpo.hpp"
#include "temper/objective/reward.hpp"
#include "temper/optimizer/adafactor.hpp"
#include "temper/optimizer/adamw.hpp"
#include "temper/optimizer/adamw_8bit.hpp"
#include "temper/optimizer/any_optimizer.hpp"
#include "temper/optimizer/lion.hpp"
#include "temper/optimizer/muon.hpp"
#include "temper/optimizer/sgd.hpp"
#include "temper/train/checkpoint.hpp"

namespace temper_cli {

using AnyRule =
    temper::AnyOptimizer<temper::AdamW, temper::Sgd, temper::Adafactor, temper::Lion, temper::AdamW8bit, temper::Muon>;

inline AnyRule optimizer_of(const Recipe& recipe) {
  const double decay = recipe.number("training.weight_decay"), momentum = recipe.number("training.momentum");
  const auto kind = recipe.boolean("training.nesterov") ? temper::Momentum::nesterov : temper::Momentum::classical;
  const temper::AdamW adamw{.beta1 = recipe.number("training.beta1"),
                            .beta2 = recipe.number("training.beta2"),
                            .epsilon = recipe.number("training.epsilon"),
                            .weight_decay = decay};
  const auto is = [&](std::string_view name) { return recipe.is("training.optimizer", name); };
  if (is("sgd")) return {temper::Sgd{.momentum = momentum, .kind = kind, .weight_decay = decay}};
  if (is("adafactor")) return {temper::Adafactor{.weight_decay = decay}};
  if (is("lion")) return {temper::Lion{.beta1 = adamw.beta1, .beta2 = adamw.beta2, .weight_decay = decay}};
  if (is("adamw_8bit")) return {temper::AdamW8bit{adamw.beta1, adamw.beta2, adamw.epsilon, decay}};
  if (is("muon")) return {temper::Muon{.momentum = momentum, .kind = kind, .vectors = adamw}};
  return {adamw};
}

// In the order of the labels.
inline std::vector<double> class_weights(const Recipe& recipe, const temper::ScoreLabels& labels) {
  const Json& stated = recipe.value("objective.class_weights");
  if (stated.empty()) return {};
  if (labels.problem == temper::Problem::regression)
    recipe.refuse("objective.class_weights",
                  "has no meaning with problem regression, which has no classes; expected {}");
  std::vector<double> weights(labels.names.size(), 1);
  for (const auto& [label, weight] : stated.items()) {
    const auto at = std::find(labels.names.begin(), labels.names.end(), label);
    if (at == labels.names.end())
      recipe.refuse("objective.class_weights",
                    fmt::format("'{}' is no label of the training rows; expected one of {}",
                                temper::printable(label, 60), fmt::join(labels.names, ", ")));
    if (!weight.is_number() || !(weight.get<double>() >= 0))
      recipe.refuse("objective.class_weights", fmt::format("the weight of '{}' is {}; expected a number, 0 or more",
                                                           temper::printable(label, 60), temper::shown_json(weight)));
    weights[static_cast<std::size_t>(at - labels.names.begin())] = weight.get<double>();
  }
  return weights;
}

using AnyTask = temper::AnyObjective<temper::CausalLm, temper::Dpo, temper::Classification, temper::Reward,
                                     temper::Taught<const RunTeacher>>;

inline AnyTask objective_of(const Recipe& recipe, const Labels& labels) {
  if (recipe.is("task", "classification"))
    return {temper::Classification{
        .problem = labels->problem, .class_weights = class_weights(recipe, *labels), .pooling = labels->pooling}};
  if (recipe.is("task", "reward"))
    return {
        temper::Reward{recipe.has("objective.center_coefficient") ? recipe.number("objective.center_coefficient") : 0}};
  if (recipe.is("task", "dpo")) {
    temper::Dpo dpo{.beta = recipe.number("objective.beta"),
                    .label_smoothing = recipe.number("objective.label_smoothing"),
                    .gamma = recipe.number("objective.gamma")};
    using temper::Preference;
    for (const auto& [form, name] : {std::pair(Preference::hinge, "hinge"),
                                     {Preference::ipo, "ipo"},
                                     {Preference::simpo, "simpo"},
                                     {Preference::orpo, "orpo"}})
      if (recipe.is("objective.loss", name)) dpo.form = form;
    return {dpo};
  }
  if (recipe.is("task", "distillation"))
    return {temper::Taught<const RunTeacher>{
        {.temperature = recipe.number("objective.temperature"),
         .alpha = recipe.number("objective.alpha"),
         .divergence = recipe.is("objective.divergence", "reverse") ? temper::Divergence::reverse
                       : recipe.is("objective.divergence", "jsd")   ? temper::Divergence::jsd
                                                                    : temper::Divergence::forward}}};
  if (recipe.is("task", "ppo")) return {temper::CausalLm{}};  // its updates are not this seam's (PolicyPart)
  return {temper::CausalLm{.label_smoothing = recipe.number("objective.label_smoothing"),
                           .z_loss = recipe.number("objective.z_loss")}};
}

template <class A>
class EngineOf : public Engine {
 protected:
  using B = temper::Cpu<float>;
  using Model = temper::Decoder<B, A>;

 public:
  EngineOf(const Recipe& recipe, A adapter, const Labels& labels)
      : recipe_(recipe),
        adapter_(std::move(adapter)),
        labels_(labels),
        optimizer_(optimizer_of(recipe)),
        objective_(objective_of(recipe, labels)) {
    options_.seed = recipe.seed();
    if (recipe.has("threads")) options_.threads = static_cast<int>(recipe.integer("threads"));
    open(recipe.path("model"));
    open_teacher(temper::Execution::planning);
    if (recipe_.is("task", "ppo")) policy_part_.emplace(recipe_, config_.vocabulary);
  }

  const temper::Config& config() const override { return config_; }
  Index trained_parameters() const override { return trained_; }
  Index all_parameters() const override {
    Index count = 0;
    if (!source_) return trained_;
    for (const std::string& name : source_->names()) {
      if (labels_ && (name == "lm_head.weight" || name == "score.weight")) continue;
      const std::vector<Index> shape = source_->find(name)->shape;
      count += std::accumulate(shape.begin(), shape.end(), Index{1}, std::multiplies<>());
    }
    if (!std::is_same_v<A, temper::Full>) return count + trained_;
    return labels_ ? count + labels_->outputs() * config_.width : count;
  }

  temper::Plan plan(const Shapes& shapes) override {
    if (policy_part_) return policy_part_->plan(*planned_, optimizer_, shapes.training.front(), options_);
    temper::Plan plan =
        temper::plan_step(*planned_, objective_, optimizer_, {shapes.training, shapes.evaluating}, options_);
    for (std::size_t h = 0; teacher_ && h < plan.bytes.size(); ++h) plan.bytes[h] += teacher_->bytes()[h];
    return plan;
  }

  void start(const temper::Plan& plan) override {
    model_.emplace(config_, adapter_, source_, build_options(temper::Execution::running));
    if (recipe_.has("adapter.from")) load_adapter(recipe_.path("adapter.from"));
    open_teacher(temper::Execution::running);
    policy_.emplace(*model_, policy_part_ ? policy_part_->value_head() : temper::ValueHead::none);
    session_.emplace(*policy_, optimizer_, plan, options_);
    if (policy_part_) policy_part_->start(*model_, *session_);
    planned_.reset();
  }

  Index counted(const temper::HostBatch& batch) const override { return temper::counted<B>(objective_, batch); }
  void begin_step(temper::Step number, double denominator, double rate) override {
    temper::begin_step(*session_, *model_, number, denominator, optimizer_, rate);
  }
  temper::Loss forward_backward(const temper::HostBatch& batch) override {
    return temper::forward_backward(*session_, *model_, objective_, batch);
  }
  double clip_gradients(double largest) override { return temper::clip_gradients(*session_, *model_, largest); }
  void update(double rate) override { temper::update(*session_, *model_, optimizer_, rate); }
  temper::Loss evaluate(const temper::HostBatch& batch) override {
    return temper::evaluate(*session_, *model_, objective_, batch);
  }
  void read_reference(const temper::HostBatch& batch, std::vector<double>& result) override {
    temper::run_log_probs(session_->context(), session_->staging(), *model_, batch, temper::Adapters::off, result);
  }
  std::size_t measured_bytes() const override {
    std::size_t total = session_->allocated_bytes() + (policy_part_ ? policy_part_->measured_bytes() : 0);
    for (std::size_t h = 0; teacher_ && h < teacher_->bytes().size(); ++h) total += teacher_->bytes()[h];
    return total;
  }

  std::vector<temper::Answer> answer(std::span<const std::vector<temper::TokenId>> prompts, temper::Step number,
                                     const std::vector<temper::TokenId>& stop) override {
    return policy_part_->answer(prompts, number, stop);
  }
  std::vector<double> score(std::span<const temper::Answer> answers) override {
    return policy_part_->score(*session_, answers);
  }
  temper::PpoStepMetrics learn(std::span<const temper::Answer> answers, std::span<const double> scores,
                               temper::Step number, double rate) override {
    return policy_part_->learn(*session_, *policy_, optimizer_, answers, scores, number, rate);
  }

  std::string_view output_name() const override { return std::is_same_v<A, temper::Full> ? "model" : "adapter"; }
  void save_output(const std::filesystem::path& folder) override {
    const std::filesystem::path base = recipe_.path("model");
    if constexpr (std::is_same_v<A, temper::Full>) {
      temper::save_model(*model_, base, folder, labels_);
    } else {
      temper::save_peft(*model_, base.string(), folder, labels_);
    }
  }
  void load_adapter(const std::filesystem::path& folder) override {
    if constexpr (!std::is_same_v<A, temper::Full>) temper::load_peft(*model_, folder, labels_);
  }
  void save_state(const std::filesystem::path& folder) override {
    temper::save_state(*session_, *policy_, folder);
    if (policy_part_) policy_part_->save_state(folder);
  }
  void load_state(const std::filesystem::path& folder) override {
    temper::load_state(*session_, *policy_, folder);
    if (policy_part_) policy_part_->load_state(folder);
  }

 private:
  // A reference is the model as it began, whatever of it is trained.
  temper::BuildOptions build_options(temper::Execution execution) const {
    return {
        .seed = options_.seed,
        .execution = execution,
        .recompute = recipe_.is("training.recompute", "blocks") ? temper::Recompute::blocks : temper::Recompute::none,
        .base = temper::reads_reference(objective_) || recipe_.is("task", "ppo") ? temper::Base::kept
                                                                                 : temper::Base::replaced,
        .precision = recipe_.is("training.precision", "bf16") ? temper::Precision::bf16 : temper::Precision::full,
        .gradients = recipe_.is("training.gradients", "bf16") ? temper::Precision::bf16 : temper::Precision::full,
        .update =
            recipe_.is("training.update", "in_backward") ? temper::Update::in_backward : temper::Update::after_backward,
        .scores = labels_ ? labels_->outputs() : 0,
        .threads = options_.threads};
  }
  void open_teacher(temper::Execution execution) {
    auto* const taught = std::get_if<temper::Taught<const RunTeacher>>(&objective_.objective);
    if (!taught) return;
    if (recipe_.has("objective.cache_teacher")) {  // the run keeps what it said
      taught->kept = std::min(recipe_.integer("objective.cache_teacher"), config_.vocabulary);
      return;
    }
    teacher_ = temper_cli::open_teacher(recipe_.path("teacher"), config_.vocabulary, execution);
    taught->teacher = teacher_.get();
  }
  void open(const std::filesystem::path& folder) {
    require_model_folder(folder);
    config_ = temper::open_config(folder);
    const std::optional<temper::MergedCodes> to_come = codes_to_come(recipe_);
    if (to_come) config_.coding = to_come->coding;
    // Pre-training may start from a folder without weights: they then come from the seed.
    const bool from_nothing = recipe_.is("task", "pretrain") && recipe_.is("adapter.method", "full");
    if (temper::has_weights(folder) || !(from_nothing || recipe_.model_is_to_come()))
      source_ = std::make_shared<temper::FolderWeights>(folder, to_come);
    if (labels_ && (temper::is_classifier(config_.json) || (source_ && source_->find("score.weight"))))
      temper::require_labels(config_.json, temper::shown_path(folder / "config.json"), *labels_);
    try {
      // Weights that are yet to be made need what weights without a source need.
      planned_.emplace(config_, adapter_, recipe_.model_is_to_come() ? nullptr : source_,
                       build_options(temper::Execution::planning));
    } catch (const temper::Error& error) {
      // What the model's shapes show to be wrong in the recipe is said where it stands.
      const std::string sentence = sentence_of(error);
      if (error.code() == "lora.rank") recipe_.refuse("adapter.rank", sentence);
      if (error.code() == "storage.unknown_module") recipe_.refuse("quantization.skip", sentence);
      if (error.code() == "weights.quantized" && !recipe_.texts("quantization.skip").empty())
        recipe_.refuse(
            "quantization.skip",
            fmt::format("{}; expected no layer of those that are quantized already: they are read as they lie",
                        sentence.substr(0, sentence.find(';'))));
      if (error.code() == "decoder.tied") recipe_.refuse("adapter.modules_to_save", sentence);
      if (error.code() != "lora.unknown_module") throw;
      if (sentence.starts_with("lora: modules_to_save ")) recipe_.refuse("adapter.modules_to_save", sentence);
      recipe_.refuse("adapter.targets", sentence);
    }
    if (source_ && !recipe_.model_is_to_come()) source_->refuse_non_finite();
    if constexpr (!std::is_same_v<A, temper::Full>)
      if (recipe_.has("adapter.from") && !recipe_.model_is_to_come())
        temper::load_peft(*planned_, recipe_.path("adapter.from"), labels_, temper::PeftTensors::checked);
    trained_ = temper::trained_elements(*planned_);
  }

  const Recipe recipe_;
  A adapter_;
  Labels labels_;
  AnyRule optimizer_;
  AnyTask objective_;
  temper::SessionOptions options_;
  temper::Config config_;
  std::shared_ptr<const temper::FolderWeights> source_;
  std::unique_ptr<RunTeacher> teacher_;
  std::optional<Model> planned_, model_;
  std::optional<temper::Policy<Model>> policy_;  // all that is trained: the model, and a value head where there is one
  std::optional<temper::Session<B, AnyRule>> session_;
  std::optional<PolicyPart<Model, AnyRule>> policy_part_;
  Index trained_ = 0;
};

}  // namespace temper_cli
