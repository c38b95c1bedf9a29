// SPDX-License-Identifier: MIT
#include "temper/objective/classification.hpp"

#include "support/score_run.hpp"

namespace classification_test {

using namespace temper_test;
using B = Cpu<double>;

Problem problem_of(const std::string& name) {
  return name == "multi_label"  ? Problem::multi_label
         : name == "regression" ? Problem::regression
                                : Problem::single_label;
}

Classification objective_of(const ScoreRecord& record) {
  const Json& task = record.record["task"];
  return {.problem = problem_of(task["problem"].get<std::string>()),
          .class_weights = task.value("class_weights", std::vector<double>{})};
}

// The loss of given scores and labels alone, and its slopes.
struct Alone {
  std::vector<std::byte> memory = std::vector<std::byte>(std::size_t{1} << 16);
  Arena arena{memory.data(), memory.size()};
  Threads stream{1};
  Context<B> ctx{stream, arena, 0, Execution::running};
  std::vector<double> slopes;

  Loss operator()(const Classification& objective, const std::vector<double>& scores, const std::vector<double>& labels,
                  Index rows) {
    slopes.assign(scores.size(), 0);
    const Index outputs = std::ssize(scores) / rows;
    const std::array<Index, 2> shape = {rows, outputs};
    return objective.loss(ctx, Scores<B>{{scores.data(), shape}},
                          ScoreBatch<B>{{labels.data(), shape}, static_cast<double>(rows)},
                          View<B, double, 2>(slopes.data(), shape));
  }
};

TEST_CASE("classification: in double, twelve steps of each problem are those of the reference in float64" *
          doctest::test_suite("long")) {
  for (const std::string family : {"llama3", "qwen2"})
    for (const std::string name : {"single_label", "weighted", "multi_label", "regression"})
      for (const std::string method : {"full", "lora"}) {
        CAPTURE(family);
        CAPTURE(name);
        CAPTURE(method);
        const ScoreRecord record(family, name);
        const ScoreRun<B, Classification> run(record, objective_of(record), method);
        CHECK(run.error(run.loss, "loss") < 1e-9);
        CHECK(run.error(run.norm, "grad_norm") < 1e-7);
        if (name != "regression") CHECK(run.error(run.accuracy, "accuracy") == 0);
      }
}

TEST_CASE("classification: in float, the run stays close to the reference" * doctest::test_suite("long")) {
  const ScoreRecord record("qwen2", "single_label");
  const ScoreRun<Cpu<float>, Classification> run(record, objective_of(record), "lora");
  CHECK(run.error(run.loss, "loss") < 1e-4);
}

TEST_CASE("classification: the slopes of the loss on scores are its differences") {
  CHECK(check_score_gradient(Classification{.class_weights = {0.5, 2, 1}}, 3, 3).largest_error < 1e-7);
  CHECK(check_score_gradient(Classification{.problem = Problem::multi_label}, 3, 4).largest_error < 1e-7);
  CHECK(check_score_gradient(Classification{.problem = Problem::regression}, 3, 2).largest_error < 1e-7);
}

TEST_CASE("classification: through the whole model, every gradient is the difference of the loss" *
          doctest::test_suite("long")) {
  for (const std::string name : {"single_label", "multi_label", "regression"}) {
    CAPTURE(name);
    const ScoreRecord record("qwen2", name);
    const ScoredRows rows = record.packed(0, 2);
    auto model = open_decoder<B>(golden_models / "qwen2", Lora<>{.rank = 2}, {.scores = record.outputs()});
    const Random random{3, 0, 0};
    std::uint64_t element = 0;
    model.visit([&](auto& p) {
      for (Index i = 0; i < p.size(); ++i) p.value.data[i] = 0.2 * random.normal(element++);
    });
    Classification objective = objective_of(record);
    const GradientCheck check = check_model_gradient(model, objective, rows.host());
    CAPTURE(check.where);
    CHECK(check.largest_error < 1e-6);
    if (name != "single_label") continue;
    objective.pooling = Pooling::mean, objective.class_weights = {0.5, 2, 1};
    const GradientCheck pooled = check_model_gradient(model, objective, rows.host());
    CAPTURE(pooled.where);
    CHECK(pooled.largest_error < 1e-6);
  }
}

TEST_CASE("classification: the mean of a single token is that token; of several it is another state") {
  auto model = open_decoder<B>(golden_models / "llama3", Lora<>{.rank = 2}, {.scores = 2});
  model.visit([](auto& p) {
    for (Index i = 0; i < p.size() && p.name == "score.weight"; ++i) p.value.data[i] = 0.01 * static_cast<double>(i);
  });
  const Classification last, mean{.pooling = Pooling::mean};
  const AdamW rule;
  for (const bool single : {true, false}) {
    ScoredRows rows{{}, {1, 0, 0, 1}};
    rows.rows.add(single ? std::vector<TokenId>{5} : std::vector<TokenId>{5, 6, 7}, {0, 0, 0});
    rows.rows.add({9}, {0});
    Trainee trainee(model, last, rule, shape_of(rows.host()));
    const auto loss = [&](const Classification& objective) {
      return evaluate(trainee.session, model, objective, rows.host()).sum;
    };
    CHECK((loss(last) == loss(mean)) == single);
  }
}

TEST_CASE("classification: a zero head starts at ln n, to the bit, and says nothing else") {
  for (const Index classes : {2, 3, 7}) {
    const auto n = static_cast<std::size_t>(classes);
    auto model = open_decoder<B>(golden_models / "llama3", Lora<>{.rank = 2}, {.scores = classes});
    const GoldenBatch golden("llama3");
    ScoredRows rows{golden.packed(0, 3), std::vector<double>(3 * n, 0)};
    for (std::size_t row = 0; row < 3; ++row) rows.labels[row * n + row % n] = 1;
    const Classification objective;
    const AdamW rule;
    Trainee trainee(model, objective, rule, shape_of(rows.host()));
    const Loss loss = evaluate(trainee.session, model, objective, rows.host());
    CHECK(loss.mean() == doctest::Approx(std::log(static_cast<double>(classes))).epsilon(1e-15));
    CHECK(loss.count == 3);
    // One document alone: no sum rounds.
    ScoredRows one{golden.packed(0, 1), {rows.labels.begin(), rows.labels.begin() + static_cast<std::ptrdiff_t>(n)}};
    CHECK(evaluate(trainee.session, model, objective, one.host()).mean() == std::log(static_cast<double>(classes)));
    begin_step(trainee.session, model, 0, 3);
    forward_backward(trainee.session, model, objective, rows.host());
    model.visit([&](const auto& p) {
      double largest = 0;
      for (Index i = 0; i < p.size(); ++i) largest = std::max(largest, std::abs(p.gradient.data[i]));
      CHECK((largest > 0) == (p.name == "score.weight"));  // nothing below a zero head is moved
    });
  }
}

TEST_CASE("classification: a learning rate of 0 changes nothing") {
  const ScoreRecord record("qwen2", "multi_label");
  auto model = open_decoder<B>(golden_models / "qwen2", Full{}, {.scores = record.outputs()});
  const Classification objective = objective_of(record);
  const AdamW rule;
  const ScoredRows rows = record.packed(0, 4);
  Trainee trainee(model, objective, rule, shape_of(rows.host()));
  std::vector<double> before, after;
  const auto read = [&](std::vector<double>& to) {
    model.visit([&](const auto& p) { to.insert(to.end(), p.value.data, p.value.data + p.size()); });
  };
  read(before);
  for (Step k = 0; k < 2; ++k) {
    begin_step(trainee.session, model, k, 4);
    forward_backward(trainee.session, model, objective, rows.host());
    update(trainee.session, model, rule, 0);
  }
  read(after);
  CHECK(before == after);
}

TEST_CASE("classification: large scores have finite losses and slopes") {
  Alone alone;
  for (const Problem problem : {Problem::single_label, Problem::multi_label}) {
    const Loss loss = alone({.problem = problem}, {800, -800, 0, -800, 800, 1}, {0, 1, 0, 0, 1, 0}, 2);
    CHECK(std::isfinite(loss.sum));
    for (const double slope : alone.slopes) CHECK(std::isfinite(slope));
  }
}

TEST_CASE("classification: an evaluation counts who was taken for whom, training does not") {
  Alone alone;
  const std::vector<double> scores = {2, 1, 0, 0, 3, 1, 0, 2, 5, 1, 0, 0},
                            labels = {1, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0};
  alone.ctx.set_mode(Mode::training);
  CHECK(alone({}, scores, labels, 4).classes.empty());
  alone.ctx.set_mode(Mode::evaluating);
  const Loss loss = alone({}, scores, labels, 4);
  CHECK(loss.accuracy() == 0.75);
  CHECK(loss.classes.confusions == std::map<std::pair<Index, Index>, Index>{{{0, 0}, 2}, {{1, 1}, 1}, {{1, 2}, 1}});
  CHECK(loss.classes.macro_f1() == doctest::Approx((1 + 2.0 / 3 + 0) / 3));
  // Several labels: what is above zero is predicted, and a row is right where all of it is.
  const Loss several = alone({.problem = Problem::multi_label}, {1, -1, 1, 1}, {1, 0, 1, 0}, 2);
  CHECK(several.accuracy() == 0.5);
  CHECK(several.classes.macro_f1() == doctest::Approx((1 + 0.0) / 2));
  CHECK(several.classes.confusions.empty());
  CHECK(alone({.problem = Problem::regression}, {1, 2}, {1, 1}, 2).predicts == Predicts::no);
}

TEST_CASE("classification: labels and weights of another number are refused") {
  Alone alone;
  CHECK_THROWS_WITH_AS(alone({.class_weights = {1, 2}}, {1, 2, 3}, {1, 0, 0}, 1), doctest::Contains("class weights"),
                       Error);
  const ScoreRecord record("qwen2", "single_label");
  auto model = open_decoder<B>(golden_models / "qwen2", Full{}, {.scores = 2});
  const Classification objective;
  const AdamW rule;
  CHECK_THROWS_WITH_AS(Trainee(model, objective, rule, shape_of(record.packed(0, 2).host())),
                       doctest::Contains("expected a label for each score"), Error);
}

TEST_CASE("classification: an objective and a model with the other head are refused") {
  const ScoreRecord record("qwen2", "single_label");
  const ScoredRows rows = record.packed(0, 2);
  const Classification classification;
  const CausalLm language;
  const AdamW rule;
  auto plain = open_decoder<B>(golden_models / "qwen2", Full{});
  CHECK_THROWS_WITH_AS(Trainee(plain, classification, rule, shape_of(rows.host())),
                       doctest::Contains("BuildOptions{.scores = outputs}"), Error);
  auto scored = open_decoder<B>(golden_models / "qwen2", Full{}, {.scores = 3});
  CHECK_THROWS_WITH_AS(Trainee(scored, language, rule, shape_of(rows.host())), doctest::Contains("score head"), Error);
}

}  // namespace classification_test
