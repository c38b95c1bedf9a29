// SPDX-License-Identifier: MIT
// The cells of docs/support.md where a policy learns from answers that it drew: its ratio is exactly 1 before the first
// update, and an update lowers the loss of those answers.
#pragma once
#include "matrix/cells.hpp"
#include "temper/model/rollout.hpp"
#include "temper/train/ppo_step.hpp"

namespace temper_test {

inline constexpr std::array matrix_advantages = {Advantage::gae, Advantage::group, Advantage::leave_one_out};

// Two answers to each of two prompts.
template <class M>
std::vector<Answer> matrix_answers(M& model, const Ppo& ppo) {
  std::vector<Answer> answers = {{{3, 4, 5}, {}}, {{3, 4, 5}, {}}, {{11, 12}, {}}, {{11, 12}, {}}};
  std::vector<RolloutPrompt> prompts;
  for (std::size_t i = 0; i < answers.size(); ++i)
    prompts.push_back({answers[i].prompt, static_cast<std::uint32_t>(i)});
  typename M::Backend::Stream stream(1);
  Rollouts<M> rollouts(model, stream, {.sequences = 4, .places = 3 + ppo.max_new_tokens});
  const auto drawn = rollouts(prompts, {.max_new_tokens = ppo.max_new_tokens, .temperature = ppo.temperature});
  for (std::size_t i = 0; i < answers.size(); ++i) answers[i].response = drawn[i].tokens;
  return answers;
}

template <class M>
bool learns(Policy<M>& policy, const Ppo& ppo, const OptimizerCase& with, const std::vector<Answer>& answers) {
  constexpr std::array scores = {1.0, -1.0, 0.5, 2.0};
  constexpr std::array<Index, 4> all = {0, 1, 2, 3};
  const Plan plan = plan_ppo_step(policy, with.rule, shape_of(batch_of_answers(answers, all).host()), {.threads = 1});
  Session session{policy, with.rule, plan, {.threads = 1}};
  session.step = 0;
  double entropy = 0;
  Experience experience = read_answers(session, policy, ppo, answers, scores, 4, entropy);
  judge(ppo, ppo.kl, experience);
  const auto sums = [&](Step number) {
    begin_step(session, policy, number, static_cast<double>(experience.tokens()));
    return ppo_gradient(session, policy, ppo, experience, answers, all, 4);
  };
  const PpoSums before = sums(0);
  clip_gradients(session, policy, 1.0);
  update(session, policy, with.rule, with.rate);
  const PpoSums after = sums(1);
  return before.mean_ratio() == 1 && std::isfinite(after.loss(ppo)) && after.loss(ppo) < before.loss(ppo);
}

// How many of an adapter and a storage hold: advantages times optimizers.
template <class A>
int policy_cells(const StorageCase& storage) {
  using M = Decoder<Cpu<float>, A>;
  M model = matrix_model<Cpu<float>>(adapter_on<A>(storage.storage), storage, 0, Base::kept);
  std::vector<float> initial;
  model.visit([&](const auto& p) { initial.insert(initial.end(), p.value.data, p.value.data + p.size()); });
  Ppo ppo{.max_new_tokens = 5, .temperature = 1, .group_size = 2};
  const std::vector<Answer> answers = matrix_answers(model, ppo);
  int holding = 0;
  for (const Advantage advantage : matrix_advantages)
    for (const OptimizerCase& with : optimizer_cases()) {
      ppo.advantage = advantage;
      CAPTURE(storage.name);
      CAPTURE(static_cast<int>(advantage));
      CAPTURE(with.name);
      auto at = initial.begin();
      model.visit([&](auto& p) { std::copy_n(at, p.size(), p.value.data), at += p.size(); });
      Policy<M> policy(model, ppo.has_values() ? ValueHead::one : ValueHead::none);
      const bool learned = learns(policy, ppo, with, answers);
      CHECK(learned);
      holding += learned;
    }
  return holding;
}

}  // namespace temper_test
