// SPDX-License-Identifier: MIT
// A step of reinforcement learning: answers to the step's prompts, each as often as a group has, or recorded ones;
// their scores by a model, a rule or a program; and the updates.
#include "reward_source.hpp"
#include "task_step.hpp"
#include "training.hpp"

namespace temper_cli {
namespace {

class PolicyStep final : public TaskStep {
 public:
  explicit PolicyStep(Prepared& prepared) : prepared_(prepared) {
    const Recipe& recipe = prepared.recipe;
    if (recipe.has("objective.rollouts")) return;  // they bring their rewards
    if (recipe.has("objective.reward_rule")) source_ = open_reward_rule(recipe.text("objective.reward_rule"));
    if (recipe.has("objective.reward_command")) source_ = open_reward_command(recipe.text("objective.reward_command"));
  }

  void run(Index number, double rate, StepOutcome& outcome) override {
    rows_.clear();
    for (const temper::MicroBatch& batch : prepared_.data->step(number))
      rows_.insert(rows_.end(), batch.rows.begin(), batch.rows.end());
    const bool recorded = !prepared_.data->recorded().empty();
    const std::vector<temper::Answer> answers = recorded ? recorded_answers() : sampled_answers(number);
    for (const temper::Answer& answer : answers) {
      outcome.tokens += std::ssize(answer.prompt) + std::ssize(answer.response);
      outcome.supervised += std::ssize(answer.response);
    }
    outcome.samples = std::ssize(rows_);
    const std::vector<double> scores = recorded  ? recorded_scores()
                                       : source_ ? source_->rewards(texts(answers))
                                                 : prepared_.engine->score(answers);
    for (std::size_t i = 0; i < scores.size(); ++i)
      temper::require(std::isfinite(scores[i]), temper::Fault::numeric, "numeric.not_finite",
                      "step {}: the reward of answer {} is not finite; expected numbers; look at the reward model",
                      number + 1, i + 1);
    const temper::PpoStepMetrics metrics = prepared_.engine->learn(answers, scores, number, rate);
    outcome.loss = metrics.loss;
    outcome.grad_norm = metrics.grad_norm;
    for (const auto& [name, value] : {std::pair("kl", metrics.kl),
                                      {"entropy", metrics.entropy},
                                      {"reward", metrics.reward},
                                      {"ratio", metrics.ratio},
                                      {"clip_fraction", metrics.clip_fraction},
                                      {"value_loss", metrics.value_loss}})
      outcome.metrics[fmt::format("training/{}", name)] = temper::number_to_json(value);
    if (prepared_.recipe.has("objective.kl_target"))
      outcome.metrics["training/kl_coefficient"] = metrics.kl_coefficient;
  }

 private:
  const temper::PromptRow& row(std::size_t at) const {
    return prepared_.data->train().prompts[static_cast<std::size_t>(rows_[at])];
  }
  std::size_t each() const { return static_cast<std::size_t>(prepared_.data->answers_of_prompt()); }

  std::vector<temper::Answer> sampled_answers(Index number) const {
    std::vector<std::vector<temper::TokenId>> prompts;
    for (std::size_t i = 0; i < rows_.size(); ++i) prompts.insert(prompts.end(), each(), row(i).tokens);
    return prepared_.engine->answer(prompts, number, prepared_.data->tokenizer().end_ids());
  }

  template <class Take>
  void over_recorded(Take&& take) const {
    for (const Index row : rows_)
      for (std::size_t i = 0; i < each(); ++i)
        take(prepared_.data->recorded()[static_cast<std::size_t>(row) * each() + i]);
  }
  std::vector<temper::Answer> recorded_answers() const {
    const std::vector<temper::TokenId> ends = prepared_.data->tokenizer().end_ids();
    std::vector<temper::Answer> answers;
    over_recorded([&](const RecordedRollout& one) {
      answers.push_back(
          {one.prompt, one.response, std::find(ends.begin(), ends.end(), one.response.back()) != ends.end()});
    });
    return answers;
  }
  std::vector<double> recorded_scores() const {
    std::vector<double> scores;
    over_recorded([&](const RecordedRollout& one) { scores.push_back(one.reward); });
    return scores;
  }

  // The prompt as the model reads it, and the response without special tokens.
  std::vector<ScoredAnswer> texts(const std::vector<temper::Answer>& answers) {
    const temper::Tokenizer& tokenizer = prepared_.data->tokenizer();
    texts_.clear();
    for (const temper::Answer& answer : answers) {
      texts_.push_back(tokenizer.decode(answer.prompt, temper::SpecialTokens::added));
      texts_.push_back(tokenizer.decode(answer.response, temper::SpecialTokens::none));
    }
    std::vector<ScoredAnswer> scored;
    for (std::size_t i = 0; i < answers.size(); ++i)
      scored.push_back({.prompt = texts_[2 * i],
                        .response = texts_[2 * i + 1],
                        .expected = row(i / each()).expected,
                        .tokens = std::ssize(answers[i].response),
                        .stopped = answers[i].stopped});
    return scored;
  }

  Prepared& prepared_;
  std::unique_ptr<RewardSource> source_;
  std::vector<Index> rows_;
  std::vector<std::string> texts_;
};

}  // namespace

std::unique_ptr<TaskStep> open_policy_step(Prepared& prepared) { return std::make_unique<PolicyStep>(prepared); }

}  // namespace temper_cli
