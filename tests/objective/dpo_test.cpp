// SPDX-License-Identifier: MIT
#include "temper/objective/dpo.hpp"

#include "support/golden_model.hpp"

namespace dpo_test {

using namespace temper_test;

constexpr Preference forms[] = {Preference::sigmoid, Preference::hinge, Preference::ipo, Preference::simpo,
                                Preference::orpo};

TEST_CASE("dpo: each form's slopes are the differences of its loss") {
  for (const Preference form : forms)
    for (const double smoothing : {0.0, 0.2}) {
      CAPTURE(static_cast<int>(form));
      const Dpo dpo{.form = form, .beta = 0.7, .label_smoothing = smoothing, .gamma = 0.3};
      for (const auto& [chosen, rejected] : {std::pair(-0.4, -1.7), {-2.1, -0.2}, {-0.05, -6.0}}) {
        const double h = 1e-6;
        const PairTerm term = dpo(chosen, rejected);
        const double by_chosen = (dpo(chosen + h, rejected).loss - dpo(chosen - h, rejected).loss) / (2 * h);
        const double by_rejected = (dpo(chosen, rejected + h).loss - dpo(chosen, rejected - h).loss) / (2 * h);
        CHECK(term.chosen == doctest::Approx(by_chosen).epsilon(1e-6));
        CHECK(term.rejected == doctest::Approx(by_rejected).epsilon(1e-6));
      }
    }
}

TEST_CASE("dpo: where both sides are alike each form has its known value") {
  CHECK(Dpo{}(-3, -3).loss == std::log(2.0));
  CHECK(Dpo{.label_smoothing = 0.3}(-3, -3).loss == doctest::Approx(std::log(2.0)).epsilon(1e-15));
  CHECK(Dpo{.form = Preference::hinge}(-3, -3).loss == 1);
  CHECK(Dpo{.form = Preference::ipo, .beta = 0.25}(-3, -3).loss == 4);
  CHECK(Dpo{.form = Preference::simpo, .gamma = 0}(-3, -3).loss == std::log(2.0));
  CHECK(Dpo{.form = Preference::orpo, .beta = 1}(-3, -3).loss == doctest::Approx(3 + std::log(2.0)));
}

TEST_CASE("dpo: a side that is certain, and one that is impossible, have finite losses") {
  for (const Preference form : forms)
    for (const auto& [chosen, rejected] : {std::pair(0.0, -1e4), {-1e4, 0.0}, {0.0, 0.0}}) {
      CAPTURE(static_cast<int>(form));
      const PairTerm term = Dpo{.form = form}(chosen, rejected);
      CHECK(std::isfinite(term.loss));
      CHECK(std::isfinite(term.chosen));
      CHECK(std::isfinite(term.rejected));
    }
}

TEST_CASE("dpo: a model that cannot be what it began as has no reference, which planning refuses") {
  const GoldenBatch golden("qwen2");
  auto model = open_decoder<Cpu<double>>(golden_models / "qwen2", Full{});
  const PackedRows rows = golden.packed(0, 2);
  const Dpo dpo;
  const Sgd rule;
  // The model trains its own weights and has not kept what they were: planning says so.
  CHECK_THROWS_WITH_AS(Trainee(model, dpo, rule, shape_of(rows.host())), doctest::Contains("Base::kept"), Error);
}

// A recorded run: documents 2p and 2p + 1 of the family's rows are a pair, two pairs a step.
template <class B>
struct RecordedRun {
  Json run;
  std::vector<double> loss, norm, margin;

  RecordedRun(const std::string& family, const std::string& name)
      : run(read_json(std::filesystem::path(TEMPER_TESTS) / "golden/objective/preference.json")[family][name]) {
    const Json& settings = run["settings"];
    const std::string form = settings["loss"].get<std::string>();
    Dpo dpo{.beta = settings["beta"].get<double>(),
            .label_smoothing = settings["label_smoothing"].get<double>(),
            .gamma = settings["gamma"].get<double>()};
    for (const auto& [kind, word] : {std::pair(Preference::hinge, "hinge"),
                                     {Preference::ipo, "ipo"},
                                     {Preference::simpo, "simpo"},
                                     {Preference::orpo, "orpo"}})
      if (form == word) dpo.form = kind;
    const auto folder = golden_models / family;
    if (run["adapter"].is_null()) {
      auto model = open_decoder<B>(folder, Full{}, {.base = Base::kept});
      train(model, dpo, family);
    } else {
      auto model = open_decoder<B>(folder, read_peft_config(folder / "adapter"));
      load_peft(model, folder / "adapter");
      train(model, dpo, family);
    }
  }

  void train(auto& model, const Dpo& dpo, const std::string& family) {
    const GoldenBatch golden(family);
    const AdamW rule;
    const Linear rate{.peak = run["settings"]["learning_rate"].get<double>(), .warmup = 3, .total = 12};
    Trainee trainee(model, dpo, rule, shape_of(golden.packed(0, 8).host()));
    for (Step k = 0; k < 12; ++k) {
      const auto first = static_cast<std::size_t>(4 * k);
      Loss total;
      begin_step(trainee.session, model, k, 2);
      for (const std::size_t pair : {first, first + 2})
        total += forward_backward(trainee.session, model, dpo, golden.packed(pair, pair + 2).host());
      norm.push_back(clip_gradients(trainee.session, model, 1.0));
      loss.push_back(total.mean());
      margin.push_back(total.metrics[2].sum / total.count);
      CHECK(total.metrics[2].name == "reward_margin");
      update(trainee.session, model, rule, rate(k));
    }
  }

  double error(const std::vector<double>& values, std::string_view what) const {
    const auto expected = run[what].template get<std::vector<double>>();
    REQUIRE(expected.size() == values.size());
    double largest = 1e-12, off = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      largest = std::max(largest, std::abs(expected[i]));
      off = std::max(off, std::abs(values[i] - expected[i]));
    }
    return off / largest;
  }
};

const std::vector<std::string>& recorded_names() {
  static const std::vector<std::string> names = {"full_sigmoid", "lora_sigmoid", "lora_smoothed",
                                                 "lora_hinge",   "full_ipo",     "lora_ipo",
                                                 "lora_simpo",   "full_orpo",    "lora_orpo"};
  return names;
}

TEST_CASE("dpo: in double, twelve steps of each form are those of the reference in float64" *
          doctest::test_suite("long")) {
  for (const std::string family : {"llama3", "qwen2"})
    for (const std::string& name : recorded_names()) {
      CAPTURE(family);
      CAPTURE(name);
      const RecordedRun<Cpu<double>> recorded(family, name);
      CHECK(recorded.error(recorded.loss, "loss") < 1e-9);
      CHECK(recorded.error(recorded.norm, "grad_norm") < 1e-7);
      CHECK(recorded.error(recorded.margin, "reward_margin") < 1e-8);
    }
}

TEST_CASE("dpo: in float, the first step is that of the reference, and a fresh adapter starts at ln 2") {
  const RecordedRun<Cpu<float>> recorded("qwen2", "lora_sigmoid");
  CHECK(recorded.error(recorded.loss, "loss") < 1e-4);

  const GoldenBatch golden("qwen2");
  const PackedRows rows = golden.packed(0, 4);
  const Dpo dpo;
  const AdamW rule;
  const auto start = [&](auto&& model) {
    Trainee trainee(model, dpo, rule, shape_of(rows.host()));
    begin_step(trainee.session, model, 0, 2);
    return forward_backward(trainee.session, model, dpo, rows.host());
  };
  const auto folder = golden_models / "qwen2";
  for (const Loss& loss :
       {start(open_decoder<Cpu<float>>(folder, Lora<>{.rank = 3})),
        start(open_decoder<Cpu<float>>(folder, Full{}, {.base = Base::kept})),
        start(open_decoder<Cpu<float>>(folder, Lora<>{.rank = 3, .bias = Bias::all}, {.base = Base::kept}))}) {
    CHECK(loss.mean() == std::log(2.0));  // to the bit: the adapter off and the fresh adapter are one model
    CHECK(loss.correct == 0);
  }
  // DoRA adds its product to the stream, where the base sums it up there: the same but for rounding.
  CHECK(start(open_decoder<Cpu<float>>(folder, Dora<>{{.rank = 3}})).mean() ==
        doctest::Approx(std::log(2.0)).epsilon(1e-6));
}

// Pairs whose sides begin with the same tokens, which are not learned: rows 2p and 2p + 1 behind row p's first half.
PackedRows pairs_with_prompts(const GoldenBatch& golden, std::size_t pairs) {
  PackedRows all;
  for (std::size_t p = 0; p < pairs; ++p)
    for (std::size_t side = 0; side < 2; ++side) {
      const PackedRows& prompt = golden.rows[p];
      const PackedRows& answer = golden.rows[4 + (2 * p + side) % 4];
      std::vector<TokenId> tokens(prompt.tokens.begin(), prompt.tokens.begin() + 6 + static_cast<std::ptrdiff_t>(p));
      std::vector<int> labels(tokens.size(), 0);
      tokens.insert(tokens.end(), answer.tokens.begin() + 1, answer.tokens.end());
      labels.resize(tokens.size(), 1);
      all.add(tokens, labels);
    }
  return all;
}

template <class B>
auto one_step(const std::string& family, auto adapter, const HostBatch& batch, Recompute recompute = Recompute::none) {
  auto model = open_decoder<B>(golden_models / family, adapter, {.recompute = recompute, .base = Base::kept});
  std::uint64_t element = 0;
  model.visit([&](auto& p) {  // away from the start, where both sides are alike
    for (Index i = 0; i < p.size(); ++i)
      p.value.data[i] += static_cast<typename B::Activation>(0.05 * Random{3, 1, 0}.normal(element++));
  });
  const Dpo dpo;
  const AdamW rule;
  Trainee trainee(model, dpo, rule, shape_of(batch));
  begin_step(trainee.session, model, 0, 3);
  const Loss loss = forward_backward(trainee.session, model, dpo, batch);
  std::vector<double> gradients;
  model.visit([&](auto& p) { gradients.insert(gradients.end(), p.gradient.data, p.gradient.data + p.size()); });
  const std::size_t arena = trainee.plan.arena_bytes();
  CHECK(trainee.session.context().arena().peak() == arena);
  return std::tuple(loss.sum, loss.metrics[2].sum, gradients, arena);
}

TEST_CASE(
    "dpo: a prompt that is read once for both sides changes no bit of the loss, and no gradient but by rounding") {
  const auto check = [](const std::string& family, auto adapter, double rounding) {
    CAPTURE(family);
    const GoldenBatch golden(family);
    const PackedRows pairs = pairs_with_prompts(golden, 3);
    HostBatch batch = pairs.host();
    const auto [loss, margin, gradients, bytes] = one_step<Cpu<double>>(family, adapter, batch);
    batch.prompts = Prompts::shared;
    CHECK(shape_of(batch).shared == 5 + 6 + 7);  // all but the last token, which each side predicts from
    const auto [shared_loss, shared_margin, shared_gradients, shared_bytes] =
        one_step<Cpu<double>>(family, adapter, batch);
    CHECK(shared_loss == doctest::Approx(loss).epsilon(1e-13));
    CHECK(shared_margin == doctest::Approx(margin).epsilon(1e-12));
    CHECK(shared_bytes < bytes);
    double largest = 0, off = 0;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      largest = std::max(largest, std::abs(gradients[i]));
      off = std::max(off, std::abs(gradients[i] - shared_gradients[i]));
    }
    CHECK(off <= rounding * largest);
    CHECK(one_step<Cpu<double>>(family, adapter, batch, Recompute::blocks) == [&] {
      auto again = one_step<Cpu<double>>(family, adapter, batch);
      std::get<3>(again) = std::get<3>(one_step<Cpu<double>>(family, adapter, batch, Recompute::blocks));
      return again;
    }());
    const auto in_float = [&](Prompts prompts) {
      batch.prompts = prompts;
      const auto [sum, rewards, slopes, arena] = one_step<Cpu<float>>(family, adapter, batch);
      return std::pair(sum, rewards);
    };
    CHECK(in_float(Prompts::shared) == in_float(Prompts::apart));
  };
  check("llama3", Full{}, 1e-13);
  check("qwen3", Lora<>{.rank = 3}, 1e-13);
  check("mistral", Lora<>{.rank = 3}, 1e-13);  // a sliding window
}

TEST_CASE("dpo: prompts are not shared where that would not be exact") {
  const auto check = [](const std::string& family, auto adapter) {
    CAPTURE(family);
    const GoldenBatch golden(family);
    const PackedRows pairs = pairs_with_prompts(golden, 3);
    HostBatch batch = pairs.host();
    const auto step = [&](Prompts prompts) {
      batch.prompts = prompts;
      return one_step<Cpu<float>>(family, adapter, batch);
    };
    CHECK(step(Prompts::shared) == step(Prompts::apart));
  };
  check("llama_dynamic", Lora<>{.rank = 3});
  check("llama3", PromptTuning{.virtual_tokens = 3});
}

}  // namespace dpo_test
