// SPDX-License-Identifier: MIT
#include "temper/objective/reward.hpp"

#include "support/score_run.hpp"

namespace reward_test {

using namespace temper_test;
using B = Cpu<double>;

TEST_CASE("reward: the slopes are the differences of the loss, whatever pulls rewards to zero") {
  for (const double center : {0.0, 0.4})
    for (const auto& [chosen, rejected] : {std::pair(0.3, -1.2), {-2.0, 1.5}, {0.0, 0.0}, {40.0, -40.0}}) {
      const Reward reward{center};
      const double h = 1e-6;
      const PairTerm term = reward(chosen, rejected);
      CHECK(term.chosen ==
            doctest::Approx((reward(chosen + h, rejected).loss - reward(chosen - h, rejected).loss) / (2 * h))
                .epsilon(1e-6));
      CHECK(term.rejected ==
            doctest::Approx((reward(chosen, rejected + h).loss - reward(chosen, rejected - h).loss) / (2 * h))
                .epsilon(1e-6));
    }
  CHECK(Reward{}(0, 0).loss == std::log(2.0));
  CHECK(std::isfinite(Reward{}(-1e300, 1e300).loss));
}

TEST_CASE("reward: the slopes of the loss on scores are its differences") {
  CHECK(check_score_gradient(Reward{0.3}).largest_error < 1e-7);
}

TEST_CASE("reward: in double, twelve steps are those of the reference in float64" * doctest::test_suite("long")) {
  for (const std::string family : {"llama3", "qwen2"})
    for (const std::string name : {"reward", "centered"})
      for (const std::string method : {"full", "lora"}) {
        CAPTURE(family);
        CAPTURE(name);
        CAPTURE(method);
        const ScoreRecord record(family, name);
        const Reward reward{record.record["task"]["center_coefficient"].get<double>()};
        const ScoreRun<B, Reward> run(record, reward, method);
        CHECK(run.error(run.loss, "loss") < 1e-9);
        CHECK(run.error(run.norm, "grad_norm") < 1e-7);
        CHECK(run.error(run.margin, "margin") < 1e-8);
        CHECK(run.error(run.accuracy, "accuracy") == 0);
      }
}

TEST_CASE("reward: through the whole model, every gradient is the difference of the loss" *
          doctest::test_suite("long")) {
  const GoldenBatch golden("llama3");
  const PackedRows rows = golden.packed(0, 4);
  auto model = open_decoder<B>(golden_models / "llama3", Lora<>{.rank = 2}, {.scores = 1});
  const Random random{3, 0, 0};
  std::uint64_t element = 0;
  model.visit([&](auto& p) {
    for (Index i = 0; i < p.size(); ++i) p.value.data[i] = 0.2 * random.normal(element++);
  });
  const GradientCheck check = check_model_gradient(model, Reward{0.2}, rows.host());
  CAPTURE(check.where);
  CHECK(check.largest_error < 1e-6);
}

TEST_CASE("reward: a zero head starts at ln 2, to the bit") {
  const GoldenBatch golden("qwen2");
  const PackedRows rows = golden.packed(0, 4);
  auto model = open_decoder<Cpu<float>>(golden_models / "qwen2", Lora<>{.rank = 2}, {.scores = 1});
  const Reward reward{0.5};
  const AdamW rule;
  Trainee trainee(model, reward, rule, shape_of(rows.host()));
  begin_step(trainee.session, model, 0, 2);
  const Loss loss = forward_backward(trainee.session, model, reward, rows.host());
  CHECK(loss.mean() == std::log(2.0));
  CHECK(loss.correct == 0);
}

TEST_CASE("reward: pairs need one score a side") {
  const GoldenBatch golden("qwen2");
  auto model = open_decoder<B>(golden_models / "qwen2", Lora<>{.rank = 2}, {.scores = 2});
  const Reward reward;
  const AdamW rule;
  CHECK_THROWS_WITH_AS(Trainee(model, reward, rule, shape_of(golden.packed(0, 4).host())),
                       doctest::Contains("expected one score for each side"), Error);
}

}  // namespace reward_test
