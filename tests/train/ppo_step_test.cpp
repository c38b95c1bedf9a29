// SPDX-License-Identifier: MIT
#include "temper/train/ppo_step.hpp"

#include <doctest/doctest.h>

#include "support/small_config.hpp"
#include "temper/adapter/full.hpp"
#include "temper/adapter/lora.hpp"
#include "temper/backend/cpu.hpp"
#include "temper/model/rollout.hpp"
#include "temper/optimizer/adamw.hpp"

namespace ppo_step_test {

using namespace temper;
using temper_test::small_config;

using B = Cpu<float>;

// A tiny model with everything that its steps need.
template <class A>
struct Learner {
  static constexpr Index prompts = 6, longest = 5;

  Ppo ppo;
  std::uint64_t seed;
  AdamW adamw;
  Decoder<B, A> model;
  Policy<Decoder<B, A>> policy;
  BatchShape shape;
  Plan plan;
  Session<B, AdamW> session;
  Rollouts<Decoder<B, A>> rollouts;

  Learner(A adapter, const Ppo& settings, std::uint64_t s, Index batch_size = 4, BuildOptions options = {})
      : ppo(settings),
        seed(s),
        model(small_config(), adapter, nullptr, with_base(options, s)),
        policy(model, settings.has_values() ? ValueHead::one : ValueHead::none),
        shape{.tokens = batch_size * (longest + settings.max_new_tokens),
              .documents = batch_size,
              .supervised = batch_size * settings.max_new_tokens,
              .longest = longest + settings.max_new_tokens},
        plan(plan_ppo_step(policy, adamw, shape, {.seed = s, .threads = 1})),
        session(policy, adamw, plan, {.seed = s, .threads = 1}),
        rollouts(model, session.context().stream(), {.sequences = 8, .places = longest + settings.max_new_tokens}) {}

  static BuildOptions with_base(BuildOptions options, std::uint64_t s) {
    options.seed = s, options.base = Base::kept;
    return options;
  }

  // Answers to prompts of one to five tokens, each as often as a group has.
  std::vector<Answer> draw(Step step) {
    const Index each = ppo.has_values() ? 1 : ppo.group_size;
    std::vector<Answer> answers;
    for (Index p = 0; p < prompts; ++p)
      for (Index g = 0; g < each; ++g) {
        Answer answer;
        for (Index t = 0; t <= p % longest; ++t) answer.prompt.push_back(static_cast<TokenId>((p + t) % 11));
        answers.push_back(answer);
      }
    std::vector<RolloutPrompt> list;
    for (std::size_t i = 0; i < answers.size(); ++i) list.push_back({answers[i].prompt, static_cast<std::uint32_t>(i)});
    const auto drawn = rollouts(list, {.max_new_tokens = ppo.max_new_tokens,
                                       .temperature = ppo.temperature,
                                       .seed = seed,
                                       .step = step,
                                       .stop = {10}});
    for (std::size_t i = 0; i < answers.size(); ++i)
      answers[i].response = drawn[i].tokens, answers[i].stopped = drawn[i].stopped;
    return answers;
  }
  PpoStepMetrics step(Step number, double rate, const std::vector<Answer>& answers, const std::vector<double>& scores) {
    return ppo_step(session, policy, ppo, adamw, answers, scores,
                    {.number = number, .rate = rate, .batch_size = shape.documents, .seed = seed});
  }
  std::vector<float> weights() {
    std::vector<float> all;
    policy.visit([&](auto& p) { all.insert(all.end(), p.value.data, p.value.data + p.size()); });
    return all;
  }
};

// The share of tokens of the response that are a certain one.
std::vector<double> planted(const std::vector<Answer>& answers) {
  std::vector<double> scores;
  for (const Answer& answer : answers)
    scores.push_back(static_cast<double>(std::count(answer.response.begin(), answer.response.end(), 3)) /
                     static_cast<double>(answer.response.size()));
  return scores;
}

// Scores that differ, whatever was drawn.
std::vector<double> various(const std::vector<Answer>& answers) {
  std::vector<double> scores;
  for (std::size_t i = 0; i < answers.size(); ++i) scores.push_back(static_cast<double>(i * 5 % 7));
  return scores;
}

constexpr Advantage every_advantage[] = {Advantage::gae, Advantage::group, Advantage::leave_one_out};

TEST_CASE("ppo_step: the ratio at the first minibatch is exactly 1, and a rate of 0 changes nothing") {
  for (const Advantage advantage : every_advantage) {
    Ppo ppo{.epochs = 1, .max_new_tokens = 6, .advantage = advantage, .group_size = 2};
    const auto check = [&](auto adapter) {
      Learner learner(adapter, ppo, 3);
      const std::vector<float> before = learner.weights();
      for (Step number = 0; number < 2; ++number) {
        const auto answers = learner.draw(number);
        learner.ppo.epochs = number == 0 ? 1 : 3;
        const PpoStepMetrics metrics = learner.step(number, 0, answers, various(answers));
        CHECK(metrics.ratio == 1);
        CHECK(metrics.clip_fraction == 0);
        CHECK(metrics.kl == 0);  // nothing has been learned
        CHECK(metrics.grad_norm > 0);
        CHECK(metrics.updates == learner.ppo.epochs);
        CHECK(learner.weights() == before);
      }
      // And once it has learned, with other weights than the reference's.
      learner.ppo.epochs = 2;
      auto answers = learner.draw(2);
      CHECK(learner.step(2, 1e-2, answers, various(answers)).ratio != 1);
      learner.ppo.epochs = 1;
      answers = learner.draw(3);
      const PpoStepMetrics metrics = learner.step(3, 0, answers, various(answers));
      CHECK(metrics.ratio == 1);
      CHECK(metrics.kl != 0);
    };
    check(Full{});
    check(Lora<>{.rank = 2, .alpha = 4});
  }
}

TEST_CASE("ppo_step: what was drawn has the log-probabilities that are read for the first minibatch") {
  Learner learner(Full{}, Ppo{.max_new_tokens = 6}, 4);
  std::vector<RolloutPrompt> list;
  const std::vector<TokenId> prompt = {1, 2, 3};
  list.push_back({prompt, 0});
  const auto drawn = learner.rollouts(list, {.max_new_tokens = 6, .temperature = 0.7, .seed = 4});
  const std::vector<Answer> answers = {{prompt, drawn[0].tokens, false}};
  double entropy = 0;
  const Experience experience =
      read_answers(learner.session, learner.policy, learner.ppo, answers, std::vector<double>{1}, 4, entropy);
  REQUIRE(experience.logp.size() == drawn[0].logp.size());
  for (std::size_t t = 0; t < experience.logp.size(); ++t)
    CHECK(experience.logp[t] == static_cast<double>(drawn[0].logp[t]));
  CHECK(entropy ==
        doctest::Approx(moments_of(std::vector<double>(drawn[0].entropy.begin(), drawn[0].entropy.end())).mean));
}

TEST_CASE("ppo_step: a planted reward rises in every one of five seeds, whatever the advantage" *
          doctest::test_suite("long")) {
  for (const Advantage advantage : every_advantage)
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      CAPTURE(seed);
      Learner learner(Full{},
                      Ppo{.kl = 0.01,
                          .epochs = 2,
                          .minibatches = 2,
                          .max_new_tokens = 6,
                          .temperature = 1,
                          .advantage = advantage,
                          .group_size = 4},
                      seed);
      const auto mean_of = [&](Step from, Step to) {
        double sum = 0;
        for (Step number = from; number < to; ++number) {
          const auto answers = learner.draw(number);
          sum += learner.step(number, 5e-3, answers, planted(answers)).reward / static_cast<double>(to - from);
        }
        return sum;
      };
      const double before = mean_of(0, 3);
      mean_of(3, 15);
      const double after = mean_of(15, 18);
      CHECK(after > before + 0.1);
    }
}

TEST_CASE("ppo_step: micro-batches of any size give one loss and one gradient") {
  const Ppo ppo{.epochs = 1, .max_new_tokens = 6};
  std::vector<double> losses, norms;
  for (const Index batch_size : {1, 2, 6}) {
    Learner learner(Full{}, ppo, 3, batch_size);
    const auto answers = learner.draw(0);
    const PpoStepMetrics metrics = learner.step(0, 1e-2, answers, various(answers));
    losses.push_back(metrics.loss), norms.push_back(metrics.grad_norm);
  }
  for (std::size_t i = 1; i < losses.size(); ++i) {
    CHECK(losses[i] == doctest::Approx(losses[0]).epsilon(1e-12));
    CHECK(norms[i] == doctest::Approx(norms[0]).epsilon(1e-5));
  }
}

TEST_CASE("ppo_step: minibatches stand in row order, or in one that seed and step decide") {
  const Ppo ppo{.epochs = 2, .minibatches = 3, .max_new_tokens = 6};
  const auto weights = [&](MinibatchOrder order, std::uint64_t seed) {
    Learner learner(Full{}, ppo, 3);
    const auto answers = learner.draw(0);
    const PpoStepMetrics metrics = ppo_step(learner.session, learner.policy, ppo, learner.adamw, answers,
                                            various(answers), {.rate = 1e-2, .order = order, .seed = seed});
    CHECK(metrics.updates == 6);
    return learner.weights();
  };
  CHECK(weights(MinibatchOrder::as_given, 1) == weights(MinibatchOrder::as_given, 2));
  CHECK(weights(MinibatchOrder::shuffled, 1) == weights(MinibatchOrder::shuffled, 1));
  CHECK(weights(MinibatchOrder::shuffled, 1) != weights(MinibatchOrder::shuffled, 2));
  CHECK(weights(MinibatchOrder::shuffled, 1) != weights(MinibatchOrder::as_given, 1));
}

TEST_CASE("ppo_step: an answer without its end is fined, and the plan's bytes are those that are allocated") {
  Ppo ppo{.max_new_tokens = 4, .missing_eos_penalty = 2.0};
  Learner learner(Lora<>{.rank = 2, .alpha = 4}, ppo, 3);
  std::vector<Answer> answers(4);
  for (std::size_t i = 0; i < answers.size(); ++i)
    answers[i] = {{1, 2, 3, 4, 5}, {3, 4, 5, static_cast<TokenId>(i < 2 ? 6 : 10)}, i >= 2};
  const PpoStepMetrics metrics = learner.step(0, 1e-3, answers, {1, 1, 1, 1});
  CHECK(metrics.reward == 0);
  CHECK(metrics.tokens == 16);
  CHECK(learner.session.allocated_bytes() == learner.plan.peak_bytes());
  CHECK(learner.session.context().arena().peak() == learner.plan.arena_bytes());
}

// One micro-batch rounds a gradient's element once, or twice in a tied table: each errs by less than 2^-7 of it.
TEST_CASE("ppo_step: gradients in bf16 are those in float, rounded") {
  const Ppo ppo{.epochs = 1, .max_new_tokens = 4, .advantage = Advantage::group, .group_size = 4};
  const auto norm = [&](Precision gradients) {
    Learner learner(Full{}, ppo, 3, 24, {.precision = Precision::bf16, .gradients = gradients});
    const auto answers = learner.draw(0);
    REQUIRE(answers.size() <= 24);
    const PpoStepMetrics metrics = learner.step(0, 1e-3, answers, various(answers));
    CHECK(metrics.ratio == 1);
    CHECK(learner.session.allocated_bytes() == learner.plan.peak_bytes());
    return metrics.grad_norm;
  };
  const double exact = norm(Precision::full), rounded = norm(Precision::bf16);
  CHECK(rounded != exact);
  CHECK(std::abs(rounded / exact - 1) < 0x1p-6);
}

TEST_CASE("ppo_step: what does not fit together is refused") {
  Learner learner(Full{}, Ppo{.max_new_tokens = 4}, 3);
  const std::vector<Answer> answers = {{{1, 2}, {3, 4}, true}};
  CHECK_THROWS_AS(learner.step(0, 0, answers, {}), Error);
  CHECK_THROWS_AS(learner.step(0, 0, {{{1, 2}, {}, true}}, {1}), Error);
  learner.ppo.advantage = Advantage::group;
  CHECK_THROWS_AS(learner.step(0, 0, answers, {1}), Error);
  // A step has several updates, so no weight may move before the first is complete.
  Decoder<B, Full> early(small_config(), Full{}, nullptr, {.base = Base::kept, .update = Update::in_backward});
  Policy<Decoder<B, Full>> policy(early, ValueHead::none);
  try {
    (void)plan_ppo_step(policy, learner.adamw, learner.shape, {.threads = 1});
    FAIL("was planned");
  } catch (const Error& error) { CHECK(error.code() == "ppo.update"); }
  const Decoder<B, Full> replaced(small_config(), Full{});
  CHECK_FALSE(replaced.switchable());
}

}  // namespace ppo_step_test
