// SPDX-License-Identifier: MIT
#include "temper/model/teacher.hpp"

#include "support/golden_model.hpp"
#include "temper/objective/distillation.hpp"

namespace teacher_test {

using namespace temper_test;

template <class B>
using Student = Decoder<B, Lora<>>;
template <class B>
using Master = Decoder<B, Frozen>;

template <class B>
Student<B> student(const std::string& family) {
  const auto folder = golden_models / family / "adapter";
  Student<B> model = open_decoder<B>(golden_models / family, read_peft_config(folder));
  load_peft(model, folder);
  return model;
}

constexpr AdamW rule{.weight_decay = 0};
constexpr Distillation forms[] = {{.temperature = 1, .alpha = 1, .divergence = Divergence::forward},
                                  {.temperature = 2, .alpha = 0.5, .divergence = Divergence::reverse},
                                  {.temperature = 0.7, .alpha = 0.8, .divergence = Divergence::jsd}};

TEST_CASE("teacher: a student that is its own teacher has no divergence and no gradient, and stays as it is") {
  using B = Cpu<float>;
  for (Distillation form : forms) {
    form.alpha = 1;
    Student<B> model = open_decoder<B>(golden_models / "llama3", Lora<>{.rank = 2});
    Master<B> master = open_decoder<B>(golden_models / "llama3", Frozen{});
    const Teacher teacher(master, model.config().vocabulary);
    const Taught<const Teacher<Master<B>>> objective{form, &teacher};
    const PackedRows rows = GoldenBatch("llama3").packed(0, 3);
    Trainee trainee(model, objective, rule, shape_of(rows.host()));
    for (Step step = 0; step < 3; ++step) {
      const auto [loss, norm] = trainee.step(step, {rows}, 0.1, 1);
      CHECK(loss == 0);
      CHECK(norm == 0);
    }
  }
}

TEST_CASE("teacher: gradients through the whole student match central differences, with a teacher of another family") {
  using B = Cpu<double>;
  for (const Distillation& form : forms) {
    Student<B> model = student<B>("llama3");
    Master<B> master = open_decoder<B>(golden_models / "qwen2", Frozen{});
    const Teacher teacher(master, model.config().vocabulary);
    const Taught<const Teacher<Master<B>>> objective{form, &teacher};
    const PackedRows rows = GoldenBatch("llama3").packed(0, 2);
    Trainee trainee(model, objective, rule, shape_of(rows.host()));
    const auto denominator = static_cast<double>(rows.count());
    begin_step(trainee.session, model, 0, denominator);
    const Loss loss = forward_backward(trainee.session, model, objective, rows.host());
    CHECK(loss.count == denominator);
    CHECK(loss.metrics[0].name == "divergence");
    CHECK(loss.metrics[0].sum > 0);
    const Loss plain = evaluate(trainee.session, model, CausalLm{}, rows.host());
    CHECK(loss.plain == doctest::Approx(plain.sum).epsilon(1e-12));
    CHECK(loss.correct == plain.correct);
    CHECK(loss.sum == doctest::Approx(form.alpha * form.temperature * form.temperature * loss.metrics[0].sum +
                                      (1 - form.alpha) * loss.plain)
                          .epsilon(1e-12));
    GradientCheck check;
    std::size_t looked_at = 0;
    model.visit([&](Parameter<B>& p) {
      if (looked_at++ % 9 != 0) return;
      const auto size = static_cast<std::size_t>(std::min<Index>(p.size(), 6));
      compare_gradient(check, p.name, {p.value.data, size}, {p.gradient.data, size},
                       [&] { return evaluate(trainee.session, model, objective, rows.host()).sum / denominator; });
    });
    CAPTURE(check.where);
    CHECK(check.largest_error < 1e-6);
  }
}

TEST_CASE("teacher: the loss falls, nothing of the teacher changes, and the plan is what is used") {
  using B = Cpu<float>;
  Student<B> model = student<B>("llama3");
  Master<B> master = open_decoder<B>(golden_models / "qwen3", Frozen{});
  const Teacher teacher(master, model.config().vocabulary);
  const Taught<const Teacher<Master<B>>> objective{forms[0], &teacher};
  const GoldenBatch batch("llama3");
  const PackedRows rows = batch.packed(0, 4);
  const auto before = logits_of(master, rows);
  Trainee trainee(model, objective, rule, shape_of(rows.host()));
  trainee.session.context().arena().forget_peak();
  double first = 0, last = 0;
  for (Step step = 0; step < 8; ++step) {
    last = trainee.step(step, {rows}, 0.02, 1).first;
    if (step == 0) first = last;
  }
  CHECK(last < 0.9 * first);
  CHECK(logits_of(master, rows) == before);
  CHECK(trainee.session.context().arena().peak() == trainee.plan.arena_bytes());
}

TEST_CASE("teacher: cut into micro-batches, the step has the loss and the norm of the whole") {
  using B = Cpu<float>;
  const GoldenBatch batch("llama3");
  const auto run = [&](const std::vector<PackedRows>& parts) {
    Student<B> model = student<B>("llama3");
    Master<B> master = open_decoder<B>(golden_models / "qwen2", Frozen{});
    const Teacher teacher(master, model.config().vocabulary);
    const AnyObjective<CausalLm, Taught<const Teacher<Master<B>>>> objective{
        Taught<const Teacher<Master<B>>>{forms[2], &teacher}};
    Trainee trainee(model, objective, rule, shape_of(batch.packed(0, 4).host()));
    return trainee.step(0, parts, 0.01, 1);
  };
  const auto whole = run({batch.packed(0, 4)}), cut = run({batch.packed(0, 1), batch.packed(1, 4)});
  CHECK(cut.first == doctest::Approx(whole.first).epsilon(1e-6));
  CHECK(cut.second == doctest::Approx(whole.second).epsilon(1e-5));
}

TEST_CASE("teacher: kept logits take its place, planned to the byte, and a batch without them is refused") {
  using B = Cpu<float>;
  Student<B> model = student<B>("llama3");
  const Taught<const Teacher<Master<B>>> objective{.settings = forms[0], .kept = 3};
  const PackedRows rows = GoldenBatch("llama3").packed(0, 2);
  const auto count = static_cast<std::size_t>(rows.count());
  const std::vector<float> logits(3 * count, 1.0f);
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < count; ++i) tokens.insert(tokens.end(), {2, 5, 7});
  const std::vector<double> rest(count, 0.5);
  Trainee trainee(model, objective, rule, shape_of(rows.host()));
  HostBatch host = rows.host();
  begin_step(trainee.session, model, 0, static_cast<double>(count));
  const auto code_of = [&] {
    try {
      forward_backward(trainee.session, model, objective, host);
    } catch (const Error& error) { return error.code(); }
    return std::string("none");
  };
  CHECK(code_of() == "batch.taught");
  host.taught = {logits, tokens, std::span(rest).first(count - 1)};
  CHECK(code_of() == "batch.taught");
  host.taught.rest = rest;
  CHECK(code_of() == "none");
  CHECK(trainee.session.context().arena().peak() == trainee.plan.arena_bytes());
}

TEST_CASE("teacher: one that scores fewer tokens than the student is refused") {
  Master<Cpu<float>> master = open_decoder<Cpu<float>>(golden_models / "qwen2", Frozen{});
  CHECK_NOTHROW(Teacher(master, master.config().vocabulary - 1));
  CHECK_THROWS_AS(Teacher(master, master.config().vocabulary + 1), Error);
}

}  // namespace teacher_test
