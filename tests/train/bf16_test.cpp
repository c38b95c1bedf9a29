// SPDX-License-Identifier: MIT
// Training with weights that are held in bf16 (Precision::bf16), under every rule.
#include <cstring>

#include "io/scratch.hpp"
#include "support/golden_model.hpp"
#include "temper/optimizer/adafactor.hpp"
#include "temper/optimizer/adamw_8bit.hpp"
#include "temper/optimizer/any_optimizer.hpp"
#include "temper/optimizer/lion.hpp"
#include "temper/optimizer/muon.hpp"
#include "temper/optimizer/sgd.hpp"
#include "temper/train/checkpoint.hpp"

namespace bf16_test {

using namespace temper_test;
using temper::test::content_of;
using temper::test::ScratchFolder;

using B = Cpu<float>;
using Model = Decoder<B, Full>;
using Rule = AnyOptimizer<AdamW, Sgd, Adafactor, Lion, AdamW8bit, Muon>;

struct Case {
  const char* name;
  Rule rule;
  double rate;
};
std::vector<Case> cases() {
  return {{"adamw", {AdamW{}}, 1e-3},
          {"sgd", {Sgd{.momentum = 0.9}}, 1e-2},
          {"adafactor", {Adafactor{}}, 1e-3},
          {"lion", {Lion{}}, 2e-4},
          {"adamw_8bit", {AdamW8bit{.smallest = 40}}, 1e-3},
          {"muon", {Muon{}}, 2e-3}};
}

// A run on a model whose checkpoint is BF16, four rows a step.
struct Run {
  GoldenBatch golden{"llama_bf16"};
  Model model;
  CausalLm objective;
  Rule rule;
  double rate;
  Trainee<Model, CausalLm, Rule> trainee;

  Run(const Case& of, Precision precision, int threads = 1)
      : model(open_decoder<B>(golden_models / "llama_bf16", Full{}, {.precision = precision})),
        rule(of.rule),
        rate(of.rate),
        trainee(model, objective, rule, shape_of(golden.packed(0, 8).host()), {.threads = threads}) {}

  std::vector<double> steps(Step from, Step to) {
    std::vector<double> losses;
    for (Step k = from; k < to; ++k) {
      const auto first = static_cast<std::size_t>(k) * 4;
      losses.push_back(trainee.step(k, {golden.packed(first, first + 4)}, rate, 1).first);
    }
    return losses;
  }
  std::string saved() {
    const ScratchFolder folder;
    save_state(trainee.session, model, folder.path());
    return content_of(folder / "parameters.safetensors") + content_of(folder / "optimizer.safetensors");
  }
};

// What the roundings of one update do to the loss, to first order: the sum of gradient times error. Errors are
// independent with mean zero, and deviate by at most half of the distance of bf16's numbers there.
double deviation_of_loss(Model& model) {
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
  for (const Case& rule : cases()) {
    const std::string name = rule.name;
    CAPTURE(name);
    Run in_float(rule, Precision::full), in_bf16(rule, Precision::bf16);
    std::vector<double> wide = in_float.steps(0, 2);
    const double deviation = deviation_of_loss(in_float.model);
    const std::vector<double> more = in_float.steps(2, 20), narrow = in_bf16.steps(0, 20);
    wide.insert(wide.end(), more.begin(), more.end());
    CHECK(narrow[0] == wide[0]);  // the checkpoint's own numbers
    CHECK(std::abs(narrow[1] - wide[1]) < 5 * deviation);
    // Twenty steps add their deviations, and each is answered by other gradients; the rules learn 10 to 30 % meanwhile.
    for (std::size_t k = 2; k < wide.size(); ++k) CHECK(std::abs(narrow[k] / wide[k] - 1) < 0.01);
  }
}

TEST_CASE("bf16: a run that is resumed, and one on two threads, reach the bits of one that went on") {
  for (const Case& rule : cases()) {
    const std::string name = rule.name;
    CAPTURE(name);
    Run undisturbed(rule, Precision::bf16), resumed(rule, Precision::bf16), threaded(rule, Precision::bf16, 2);
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
    CHECK(resumed.saved() == undisturbed.saved());
    CHECK(threaded.saved() == undisturbed.saved());
  }
}

TEST_CASE("bf16: matrices take two bytes, and are saved as they are held; vectors stay float") {
  Run run(cases().front(), Precision::bf16);
  Index matrices = 0;
  run.model.visit([&](const auto& p) {
    CHECK(p.is_narrow() == p.is_matrix());
    matrices += p.is_matrix() ? p.size() : 0;
  });
  const auto trained = [](const Plan& plan) { return plan.of(Holder::trained_weights); };
  CHECK(trained(Run(cases().front(), Precision::full).trainee.plan) - trained(run.trainee.plan) ==
        2 * static_cast<std::size_t>(matrices));

  run.steps(0, 2);
  const ScratchFolder folder;
  save_model(run.model, golden_models / "llama_bf16", folder.path());
  CHECK(read_json(folder / "config.json").dump().find("\"bfloat16\"") != std::string::npos);
  const auto read = open_decoder<B>(folder.path(), Frozen{});
  run.model.visit([&](const auto& p) {
    const auto tensor = read.source()->find(p.name);
    REQUIRE(tensor.has_value());
    CHECK(tensor->element == (p.is_matrix() ? Element::bf16 : Element::f32));
    const void* const held = p.is_narrow() ? static_cast<const void*>(p.narrow.data) : p.value.data;
    CHECK(std::memcmp(tensor->data, held, p.is_narrow() ? p.narrow.bytes() : p.value.bytes()) == 0);
  });
}

}  // namespace bf16_test
