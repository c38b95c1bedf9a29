// SPDX-License-Identifier: MIT
// Training with weights that are held in bf16 (Precision::bf16), under every rule.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "io/scratch.hpp"
#include "support/full_run.hpp"
#include "temper/train/checkpoint.hpp"

namespace bf16_test {

using namespace temper_test;
using temper::test::ScratchFolder;

// What the roundings of one update do to the loss, to first order: the sum of gradient times error. Errors are
// independent with mean zero, and deviate by at most half of the distance of bf16's numbers there.
double deviation_of_loss(Decoder<Cpu<float>, Full>& model) {
  double squares = 0;
  model.visit([&](const auto& p) {
    for (Index i = 0; p.is_matrix() && i < p.size(); ++i) {
      const double size = std::abs(double{p.value.data[i]});
      const double gap = size > 0 ? std::exp2(std::floor(std::log2(size)) - 7) : 0;
      squares += std::pow(double{p.gradient.data[i]} * gap / 2, 2);
    }
  });
  return std::sqrt(squares);
}

TEST_CASE("bf16: every rule learns as it does in float, from the same first loss") {
  for (const RuleCase& rule : rule_cases()) {
    const std::string name = rule.name;
    CAPTURE(name);
    FullRun in_float(rule, {.precision = Precision::full}), in_bf16(rule, {.precision = Precision::bf16});
    std::vector<double> wide = in_float.steps(0, 2);
    const double deviation = deviation_of_loss(in_float.model);
    const std::vector<double> more = in_float.steps(2, 10), narrow = in_bf16.steps(0, 10);
    wide.insert(wide.end(), more.begin(), more.end());
    CHECK(narrow[0] == wide[0]);  // the checkpoint's own numbers
    CHECK(std::abs(narrow[1] - wide[1]) < 5 * deviation);
    // Ten steps add their deviations, and each is answered by other gradients: no bound follows from the rounding
    // alone, and this one only notices a run that has gone elsewhere.
    for (std::size_t k = 2; k < wide.size(); ++k) CHECK(std::abs(narrow[k] / wide[k] - 1) < 0.01);
    // The same of gradients that are added up in bf16, over four micro-batches a step.
    FullRun added_up(rule, {.precision = Precision::bf16, .gradients = Precision::bf16});
    const std::vector<double> by_rows = added_up.steps(0, 10, 1);
    for (std::size_t k = 0; k < wide.size(); ++k) CHECK(std::abs(by_rows[k] / wide[k] - 1) < 0.01);
  }
}

void go_on_and_resume(const RuleCase& rule, Precision gradients) {
  const std::string name = rule.name;
  CAPTURE(name);
  const BuildOptions options{.precision = Precision::bf16, .gradients = gradients};
  FullRun undisturbed(rule, options), resumed(rule, options), threaded(rule, options, "llama_bf16", 3);
  // Two micro-batches, the first of the planned size.
  const auto two = [](const FullRun& run) { return std::vector{run.golden.packed(0, 8), run.golden.packed(0, 4)}; };
  const ScratchFolder folder;
  undisturbed.steps(0, 1);
  save_state(undisturbed.trainee.session, undisturbed.model, folder.path());
  undisturbed.steps(1, 2);
  load_state(resumed.trainee.session, resumed.model, folder.path());
  resumed.steps(1, 2);
  threaded.steps(0, 2);
  undisturbed.trainee.step(2, two(undisturbed), 1e-3, 0.5);
  CHECK(undisturbed.trainee.session.allocated_bytes() == undisturbed.trainee.plan.peak_bytes());
  CHECK(undisturbed.trainee.session.context().arena().peak() == undisturbed.trainee.plan.arena_bytes());
  resumed.trainee.step(2, two(resumed), 1e-3, 0.5);
  threaded.trainee.step(2, two(threaded), 1e-3, 0.5);
  CHECK(resumed.bytes() == undisturbed.bytes());
  CHECK(threaded.bytes() == undisturbed.bytes());
}

TEST_CASE("bf16: a run that is resumed, and one on three threads, reach the bits of one that went on") {
  for (const RuleCase& rule : rule_cases())
    for (const Precision gradients : {Precision::full, Precision::bf16}) go_on_and_resume(rule, gradients);
}

// The first backward pass of a step, with gradients in float and in bf16.
struct TwoForms {
  FullRun in_float, in_bf16;
  std::vector<Parameter<Cpu<float>>*> wide, narrow;
  explicit TwoForms(const std::string& family)
      : in_float(rule_cases().front(), {.precision = Precision::bf16}, family),
        in_bf16(rule_cases().front(), {.precision = Precision::bf16, .gradients = Precision::bf16}, family) {
    in_float.model.visit([&](auto& p) { wide.push_back(&p); });
    in_bf16.model.visit([&](auto& p) { narrow.push_back(&p); });
    for (FullRun* run : {&in_float, &in_bf16}) begin_step(run->trainee.session, run->model, 3, 100);
  }
  void add(const PackedRows& rows) {
    const Loss a = forward_backward(in_float.trainee.session, in_float.model, in_float.objective, rows.host());
    const Loss b = forward_backward(in_bf16.trainee.session, in_bf16.model, in_bf16.objective, rows.host());
    CHECK(a.sum == b.sum);
  }
};

double gap_at_most(double x) { return std::abs(x) * 0x1p-7; }  // between neighbours of bf16

TEST_CASE("bf16: the gradient of one micro-batch is that in float, rounded once") {
  for (const std::string family : {"llama2", "llama_bf16"}) {
    CAPTURE(family);
    TwoForms both(family);
    const PackedRows rows = both.in_float.golden.packed(0, 4);
    both.add(rows);
    const auto& ctx = both.in_bf16.trainee.session.context();
    for (std::size_t k = 0; k < both.wide.size(); ++k) {
      const auto &wide = *both.wide[k], &narrow = *both.narrow[k];
      CAPTURE(narrow.name);
      CHECK(narrow.has_narrow_gradient() == narrow.is_matrix());
      if (!narrow.is_matrix()) continue;
      CHECK(narrow.gradient.data == nullptr);
      const bool is_table = narrow.name == "model.embed_tokens.weight", is_tied = is_table && family == "llama_bf16";
      const Gradient<Cpu<float>> place = narrow.held_gradient();
      const Random random = ctx.rounding((is_tied || narrow.name == "lm_head.weight" ? place.addend(0) : place).site);
      Index wrong = 0;
      for (Index i = 0; i < wide.size(); ++i) {
        const float exact = wide.gradient.data[i];
        const bf16 held = narrow.narrow_gradient.data[i];
        const auto row = static_cast<TokenId>(i / wide.gradient.cols());
        // What the head says of such a row is rounded, and then the sum with what the lookup says; see the next test.
        if (is_tied && std::find(rows.tokens.begin(), rows.tokens.end(), row) != rows.tokens.end()) continue;
        wrong += held != to_bf16(exact, random.bits16(static_cast<std::uint64_t>(i)));
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("bf16: the gradient of several micro-batches is that in float but for their roundings, without bias") {
  for (const std::string family : {"llama2", "llama_bf16"}) {
    CAPTURE(family);
    TwoForms both(family);
    // Each rounding errs by less than a gap and deviates by at most half of one; a tied table has two a micro-batch.
    const double roundings = family == "llama2" ? 1 : 2;
    constexpr std::size_t count = 6;
    std::vector<std::vector<double>> bounds(both.wide.size()), variances(both.wide.size());
    for (std::size_t step = 0; step < count; ++step) {
      both.add(both.in_float.golden.packed(step, step + 1));
      for (std::size_t k = 0; k < both.wide.size(); ++k) {
        const auto& wide = *both.wide[k];
        bounds[k].resize(static_cast<std::size_t>(wide.size())), variances[k].resize(bounds[k].size());
        for (std::size_t i = 0; i < bounds[k].size(); ++i) {
          const double gap = gap_at_most(std::abs(double{wide.gradient.data[i]}) + bounds[k][i]);
          bounds[k][i] += roundings * gap;
          variances[k][i] += roundings * gap * gap / 4;
        }
      }
    }
    double squares = 0;
    for (std::size_t k = 0; k < both.wide.size(); ++k) {
      const auto &wide = *both.wide[k], &narrow = *both.narrow[k];
      CAPTURE(narrow.name);
      double largest = 0, error = 0, variance = 0;
      for (Index i = 0; i < wide.size(); ++i) largest = std::max(largest, std::abs(double{wide.gradient.data[i]}));
      const double noise = largest * 0x1p-16;  // of a chain of some hundred sums in float
      Index wrong = 0;
      for (Index i = 0; i < wide.size(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        const float held = narrow.is_matrix() ? to_float(narrow.narrow_gradient.data[i]) : narrow.gradient.data[i];
        const double apart = double{held} - double{wide.gradient.data[i]};
        squares += std::pow(double{held}, 2), error += apart, variance += variances[k][at];
        wrong += narrow.is_matrix() ? std::abs(apart) > bounds[k][at] + noise : apart != 0;
      }
      CHECK(wrong == 0);
      CHECK(std::abs(error) < 5 * std::sqrt(variance) + noise);
    }
    const double norm = clip_gradients(both.in_bf16.trainee.session, both.in_bf16.model, 1);
    CHECK(norm == doctest::Approx(std::sqrt(squares)).epsilon(1e-12));
  }
}

TEST_CASE("bf16: gradients in bf16 are those of weights that are held so, after backward") {
  for (const BuildOptions options :
       {BuildOptions{.gradients = Precision::bf16},
        BuildOptions{.precision = Precision::bf16, .gradients = Precision::bf16, .update = Update::in_backward}}) {
    const auto thrown =
        temper::test::thrown_by([&] { open_decoder<Cpu<float>>(golden_models / "llama2", Full{}, options); });
    CHECK(thrown.code == "decoder.gradients");
    CHECK(thrown.fault == Fault::usage);
  }
  const auto gradients = [](Precision precision) {
    return FullRun(rule_cases().front(), {.precision = Precision::bf16, .gradients = precision})
        .trainee.plan.of(Holder::gradients);
  };
  std::size_t matrices = 0;
  FullRun run(rule_cases().front(), {.precision = Precision::bf16});
  run.model.visit([&](const auto& p) {
    matrices += p.is_matrix() ? Arena::rounded(p.gradient.bytes()) - Arena::rounded(p.gradient.bytes() / 2) : 0;
  });
  CHECK(gradients(Precision::full) - gradients(Precision::bf16) == matrices);
}

TEST_CASE("bf16: matrices take two bytes, and are saved as they are held; vectors stay float") {
  FullRun run(rule_cases().front(), {.precision = Precision::bf16});
  Index matrices = 0;
  run.model.visit([&](const auto& p) {
    CHECK(p.is_narrow() == p.is_matrix());
    matrices += p.is_matrix() ? p.size() : 0;
  });
  const auto trained = [](const Plan& plan) { return plan.of(Holder::trained_weights); };
  CHECK(trained(FullRun(rule_cases().front(), {.precision = Precision::full}).trainee.plan) -
            trained(run.trainee.plan) ==
        2 * static_cast<std::size_t>(matrices));

  run.steps(0, 2);
  const ScratchFolder folder;
  save_model(run.model, golden_models / "llama_bf16", folder.path());
  CHECK(read_json(folder / "config.json").dump().find("\"bfloat16\"") != std::string::npos);
  const auto read = open_decoder<Cpu<float>>(folder.path(), Frozen{});
  run.model.visit([&](const auto& p) {
    const auto tensor = read.source()->find(p.name);
    REQUIRE(tensor.has_value());
    CHECK(tensor->element == (p.is_matrix() ? Element::bf16 : Element::f32));
    const void* const held = p.is_narrow() ? static_cast<const void*>(p.narrow.data) : p.value.data;
    CHECK(std::memcmp(tensor->data, held, p.is_narrow() ? p.narrow.bytes() : p.value.bytes()) == 0);
  });
}

}  // namespace bf16_test
