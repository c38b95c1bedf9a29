// SPDX-License-Identifier: MIT
// What an engine has more where its model is a policy: settings, rollouts and a reward model, and their memory.
#pragma once
#include <memory>
#include <optional>

#include "answer_counts.hpp"
#include "engine.hpp"
#include "reward_model.hpp"
#include "temper/io/file.hpp"
#include "temper/io/json_fields.hpp"
#include "temper/model/rollout.hpp"
#include "temper/train/ppo_step.hpp"

namespace temper_cli {

inline temper::Ppo ppo_settings(const Recipe& recipe) {
  temper::Ppo ppo{.kl = recipe.number("objective.kl"),
                  .clip = recipe.number("objective.clip"),
                  .value_clip = recipe.number("objective.value_clip"),
                  .value_coefficient = recipe.number("objective.value_coefficient"),
                  .gamma = recipe.number("objective.gamma"),
                  .lambda = recipe.number("objective.lambda"),
                  .epochs = recipe.integer("objective.epochs"),
                  .minibatches = recipe.integer("objective.minibatches"),
                  .max_new_tokens = recipe.integer("objective.max_new_tokens"),
                  .temperature = recipe.number("objective.temperature"),
                  .group_size = recipe.integer("objective.group_size")};
  if (recipe.has("objective.missing_eos_penalty"))
    ppo.missing_eos_penalty = recipe.number("objective.missing_eos_penalty");
  if (recipe.is("objective.kl_estimator", "k3")) ppo.kl_estimator = temper::KlEstimator::k3;
  if (recipe.is("objective.advantage", "group")) ppo.advantage = temper::Advantage::group;
  if (recipe.is("objective.advantage", "leave_one_out")) ppo.advantage = temper::Advantage::leave_one_out;
  return ppo;
}

template <class M, class R>
class PolicyPart {
  using B = typename M::Backend;

 public:
  using Session = temper::Session<B, R>;

  PolicyPart(const Recipe& recipe, Index vocabulary)
      : recipe_(recipe), ppo_(ppo_settings(recipe)), batch_size_(recipe.integer("training.batch_size")) {
    open_reward_model(vocabulary, temper::Execution::planning);
  }

  temper::ValueHead value_head() const { return ppo_.has_values() ? temper::ValueHead::one : temper::ValueHead::none; }

  // 'shape' is that of the largest micro-batch of answers.
  temper::Plan plan(M& model, const R& optimizer, const temper::BatchShape& shape, temper::SessionOptions options) {
    longest_ = shape.longest;
    temper::Policy policy(model, value_head(), temper::Execution::planning);
    temper::Plan plan =
        temper::plan_ppo_step(policy, optimizer, shape, options, [&](auto& ctx, auto& staging, const auto& batch) {
          if (reward_model_) reward_model_->score(ctx, staging, batch, none_);
        });
    if (samples()) {
      typename B::Stream stream(options.threads);
      const temper::Rollouts<M> rollouts(model, stream, rollout_shape(), temper::Execution::planning);
      for (const std::size_t bytes : rollouts.bytes()) plan.of(temper::Holder::workspace) += bytes;
    }
    for (std::size_t h = 0; reward_model_ && h < plan.bytes.size(); ++h) plan.bytes[h] += reward_model_->bytes()[h];
    return plan;
  }

  void start(M& model, Session& session) {
    open_reward_model(model.config().vocabulary, temper::Execution::running);
    if (samples()) rollouts_.emplace(model, session.context().stream(), rollout_shape());
  }
  std::size_t measured_bytes() const {
    std::size_t total = 0;
    for (std::size_t h = 0; h < temper::holder_names.size(); ++h)
      total += (reward_model_ ? reward_model_->bytes()[h] : 0) + (rollouts_ ? rollouts_->bytes()[h] : 0);
    return total;
  }

  std::vector<temper::Answer> answer(std::span<const std::vector<temper::TokenId>> prompts, temper::Step number,
                                     const std::vector<temper::TokenId>& stop) {
    std::vector<temper::RolloutPrompt> list;
    for (std::size_t i = 0; i < prompts.size(); ++i) list.push_back({prompts[i], static_cast<std::uint32_t>(i)});
    const auto responses = (*rollouts_)(list, {.max_new_tokens = ppo_.max_new_tokens,
                                               .temperature = ppo_.temperature,
                                               .seed = recipe_.seed(),
                                               .step = number,
                                               .stop = stop});
    std::vector<temper::Answer> answers;
    for (std::size_t i = 0; i < prompts.size(); ++i)
      answers.push_back({prompts[i], responses[i].tokens, responses[i].stopped});
    return answers;
  }

  std::vector<double> score(Session& session, std::span<const temper::Answer> answers) {
    std::vector<Index> all(answers.size());
    std::iota(all.begin(), all.end(), Index{0});
    std::vector<double> scores;
    temper::over_answers(all, batch_size_, [&](std::span<const Index> which) {
      const temper::MicroBatch batch = temper::batch_of_answers(answers, which);
      reward_model_->score(session.context(), session.staging(), batch.host(), scores);
    });
    return scores;
  }

  temper::PpoStepMetrics learn(Session& session, temper::Policy<M>& policy, const R& optimizer,
                               std::span<const temper::Answer> answers, std::span<const double> scores,
                               temper::Step number, double rate) {
    const bool clips = recipe_.has("training.max_grad_norm"), shuffles = recipe_.boolean("data.shuffle");
    const temper::PpoStepMetrics metrics =
        temper::ppo_step(session, policy, ppo_, optimizer, answers, scores,
                         {.number = number,
                          .rate = rate,
                          .largest_norm = clips ? recipe_.number("training.max_grad_norm") : 0,
                          .batch_size = batch_size_,
                          .order = shuffles ? temper::MinibatchOrder::shuffled : temper::MinibatchOrder::as_given,
                          .seed = recipe_.seed()});
    if (adapts()) ppo_.kl = controller().next(ppo_.kl, metrics.kl, static_cast<double>(answers.size()));
    return metrics;
  }

  // What a step has changed beside parameters and the optimizer's state: the coefficient, where it adapts.
  void save_state(const std::filesystem::path& folder) const {
    if (adapts()) temper::write_file_atomically(folder / state_file, Json{{"kl", ppo_.kl}}.dump() + "\n");
  }
  void load_state(const std::filesystem::path& folder) {
    if (!adapts()) return;
    const temper::JsonSource source{temper::shown_path(folder / state_file)};
    ppo_.kl = temper::require_number(temper::read_json(folder / state_file), "kl", source);
  }

 private:
  static constexpr const char* state_file = "policy.json";

  bool adapts() const { return recipe_.has("objective.kl_target"); }
  temper::AdaptiveKl controller() const {
    return {.target = recipe_.number("objective.kl_target"), .horizon = recipe_.number("objective.kl_horizon")};
  }
  bool samples() const { return !recipe_.has("objective.rollouts"); }
  temper::RolloutShape rollout_shape() const { return {.sequences = answers_at_once(recipe_), .places = longest_}; }
  void open_reward_model(Index vocabulary, temper::Execution execution) {
    if (recipe_.has("reward_model") && samples())
      reward_model_ = temper_cli::open_reward_model(recipe_.path("reward_model"), vocabulary, execution);
  }

  const Recipe& recipe_;
  temper::Ppo ppo_;
  Index batch_size_, longest_ = 1;
  std::unique_ptr<RunRewardModel> reward_model_;
  std::optional<temper::Rollouts<M>> rollouts_;
  std::vector<double> none_;
};

}  // namespace temper_cli
