// SPDX-License-Identifier: MIT
// A whole model that is trained under any of the six rules, and what it and its optimizer have become.
#pragma once
#include <string>
#include <vector>

#include "support/golden_model.hpp"
#include "temper/optimizer/adafactor.hpp"
#include "temper/optimizer/adamw_8bit.hpp"
#include "temper/optimizer/any_optimizer.hpp"
#include "temper/optimizer/lion.hpp"
#include "temper/optimizer/muon.hpp"
#include "temper/optimizer/sgd.hpp"

namespace temper_test {

using AnyRule = AnyOptimizer<AdamW, Sgd, Adafactor, Lion, AdamW8bit, Muon>;

struct RuleCase {
  const char* name;
  AnyRule rule;
  double rate;
};
inline std::vector<RuleCase> rule_cases() {
  return {{"adamw", {AdamW{}}, 1e-3},
          {"sgd", {Sgd{.momentum = 0.9}}, 1e-2},
          {"adafactor", {Adafactor{}}, 1e-3},
          {"lion", {Lion{}}, 2e-4},
          {"adamw_8bit", {AdamW8bit{.smallest = 40}}, 1e-3},
          {"muon", {Muon{}}, 2e-3}};
}

// As a rule on a model whose checkpoint is BF16.
struct FullRun {
  GoldenBatch golden;
  Decoder<Cpu<float>, Full> model;
  CausalLm objective;
  AnyRule rule;
  double rate;
  Trainee<Decoder<Cpu<float>, Full>, CausalLm, AnyRule> trainee;

  FullRun(const RuleCase& of, BuildOptions options, const std::string& family = "llama_bf16", int threads = 1)
      : golden(family),
        model(open_decoder<Cpu<float>>(golden_models / family, Full{}, options)),
        rule(of.rule),
        rate(of.rate),
        trainee(model, objective, rule, shape_of(golden.packed(0, 8).host()), {.threads = threads}) {}

  // Four rows a step, so many in a micro-batch.
  std::vector<double> steps(Step from, Step to, std::size_t rows = 4) {
    std::vector<double> losses;
    for (Step k = from; k < to; ++k) {
      std::vector<PackedRows> batches;
      for (std::size_t row = 0; row < 4; row += rows) {
        const std::size_t first = static_cast<std::size_t>(k) * 4 + row;
        batches.push_back(golden.packed(first, first + rows));
      }
      losses.push_back(trainee.step(k, batches, rate, 1).first);
    }
    return losses;
  }
  // Every byte of the weights and of what the optimizer remembers.
  std::string bytes() {
    std::string all;
    const auto add = [&](auto view) { all.append(reinterpret_cast<const char*>(view.data), view.bytes()); };
    model.visit([&](auto& p) { p.is_narrow() ? add(p.narrow) : add(p.value); });
    for (auto& state : trainee.session.states()) state.visit([&](std::string_view, auto tensor) { add(tensor); });
    return all;
  }
};

}  // namespace temper_test
