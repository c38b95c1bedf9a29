// SPDX-License-Identifier: MIT
// Two steps on recorded answers against transformers, PEFT and torch in float64 (tests/golden/ppo/update.py).

#include "support/golden_model.hpp"
#include "temper/train/ppo_step.hpp"

namespace ppo_update_test {

using namespace temper_test;

using B = Cpu<double>;

const Json& recorded() {
  static const Json json = read_json(std::filesystem::path(TEMPER_TESTS) / "golden/ppo/update.json");
  return json;
}

Ppo settings_of(const Json& run) {
  const Json& all = recorded()["settings"];
  Ppo ppo{.kl = all["kl"], .clip = all["clip"], .value_clip = all["value_clip"]};
  ppo.value_coefficient = all["value_coefficient"], ppo.gamma = all["gamma"], ppo.lambda = all["lam"];
  ppo.epochs = all["epochs"], ppo.minibatches = all["minibatches"], ppo.temperature = all["temperature"];
  ppo.missing_eos_penalty = all["missing_eos_penalty"].get<double>(), ppo.group_size = all["group_size"];
  ppo.advantage = run["advantage"] == "gae"     ? Advantage::gae
                  : run["advantage"] == "group" ? Advantage::group
                                                : Advantage::leave_one_out;
  return ppo;
}

std::vector<Answer> answers_of(const std::string& family, std::size_t step) {
  std::vector<Answer> answers;
  for (const Json& answer : recorded()["families"][family]["answers"][step])
    answers.push_back({answer["prompt"].get<std::vector<TokenId>>(), answer["response"].get<std::vector<TokenId>>()});
  for (std::size_t i = 0; i < answers.size(); ++i) answers[i].stopped = recorded()["stopped"][step][i].get<bool>();
  return answers;
}

template <class M>
void check_run(M model, const std::string& family, const Json& run, Index batch_size) {
  const Ppo ppo = settings_of(run);
  const AdamW adamw{.weight_decay = 0.01};
  Policy policy(model, ppo.has_values() ? ValueHead::one : ValueHead::none);
  const BatchShape shape{
      .tokens = 16 * batch_size, .documents = batch_size, .supervised = 6 * batch_size, .longest = 16};
  const Plan plan = plan_ppo_step(policy, adamw, shape);
  Session session(policy, adamw, plan);
  std::vector<std::vector<double>> before;
  policy.visit([&](auto& p) { before.emplace_back(p.value.data, p.value.data + p.size()); });

  const auto near = [](double value, const Json& expected, double tolerance) {
    CHECK(std::abs(value - expected.get<double>()) <= tolerance * std::max(1.0, std::abs(expected.get<double>())));
  };
  for (std::size_t step = 0; step < 2; ++step) {
    CAPTURE(step);
    const PpoStepMetrics metrics = ppo_step(
        session, policy, ppo, adamw, answers_of(family, step), recorded()["scores"][step].get<std::vector<double>>(),
        {.number = static_cast<Step>(step),
         .rate = run["rate"].get<double>() * recorded()["rates"][step].get<double>(),
         .batch_size = batch_size});
    const Json& expected = run["steps"][step];
    near(metrics.loss, expected["loss"], 1e-8);
    near(metrics.grad_norm, expected["grad_norm"], 1e-8);
    near(metrics.ratio, expected["ratio"], 1e-8);
    near(metrics.clip_fraction, expected["clip_fraction"], 1e-12);
    near(metrics.value_loss, expected["value_loss"], 1e-8);
    near(metrics.kl, expected["kl"], 1e-8);
    near(metrics.entropy, expected["entropy"], 1e-8);
    near(metrics.reward, expected["reward"], 1e-12);
  }
  std::size_t next = 0, compared = 0;
  policy.visit([&](auto& p) {
    const Json& expected = run["change"][p.name == "value.weight" ? p.name : peft_name_of(model, p.name)];
    CAPTURE(p.name);
    REQUIRE(expected.is_object());
    double squares = 0;
    const std::vector<double>& old = before[next++];
    for (std::size_t i = 0; i < old.size(); ++i) squares += std::pow(p.value.data[i] - old[i], 2);
    CHECK(std::sqrt(squares) == doctest::Approx(expected["norm"].get<double>()).epsilon(1e-6));
    for (std::size_t i = 0; i < expected["first"].size(); ++i)
      CHECK(std::abs(p.value.data[i] - old[i] - expected["first"][i].get<double>()) < 1e-8);
    ++compared;
  });
  CHECK(compared == run["change"].size());
}

TEST_CASE("ppo_step: two steps of PPO, GRPO and leave-one-out are those of torch, with LoRA and the whole model") {
  for (const std::string family : {"llama3", "qwen2"})
    for (const auto& item : recorded()["families"][family]["runs"].items()) {
      const std::string& name = item.key();
      const Json& run = item.value();
      CAPTURE(family);
      CAPTURE(name);
      for (const Index batch_size : {1, 4}) {
        if (run["adapter"].is_null()) {
          check_run(open_decoder<B>(golden_models / family, Full{}, {.base = Base::kept}), family, run, batch_size);
        } else {
          const auto folder = golden_models / family / "adapter";
          auto model = open_decoder<B>(golden_models / family, read_peft_config(folder));
          load_peft(model, folder);
          check_run(std::move(model), family, run, batch_size);
        }
      }
    }
}

}  // namespace ppo_update_test
