// SPDX-License-Identifier: MIT
// Training with weights that are held in bf16 (Precision::bf16), under every rule.
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
  }
}

TEST_CASE("bf16: a run that is resumed, and one on two threads, reach the bits of one that went on") {
  for (const RuleCase& rule : rule_cases()) {
    const std::string name = rule.name;
    CAPTURE(name);
    FullRun undisturbed(rule, {.precision = Precision::bf16}), resumed(rule, {.precision = Precision::bf16}),
        threaded(rule, {.precision = Precision::bf16}, "llama_bf16", 2);
    const ScratchFolder folder;
    undisturbed.steps(0, 1);
    save_state(undisturbed.trainee.session, undisturbed.model, folder.path());
    undisturbed.steps(1, 2);
    load_state(resumed.trainee.session, resumed.model, folder.path());
    resumed.steps(1, 2);
    threaded.steps(0, 2);
    undisturbed.trainee.step(2, {undisturbed.golden.packed(0, 8)}, 1e-3, 1);  // of the planned size
    CHECK(undisturbed.trainee.session.allocated_bytes() == undisturbed.trainee.plan.peak_bytes());
    CHECK(undisturbed.trainee.session.context().arena().peak() == undisturbed.trainee.plan.arena_bytes());
    resumed.trainee.step(2, {resumed.golden.packed(0, 8)}, 1e-3, 1);
    threaded.trainee.step(2, {threaded.golden.packed(0, 8)}, 1e-3, 1);
    CHECK(resumed.bytes() == undisturbed.bytes());
    CHECK(threaded.bytes() == undisturbed.bytes());
  }
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
