// SPDX-License-Identifier: MIT
// The axes of docs/support.md: every storage, objective and optimizer that ships, chosen while the test runs, on a tiny
// recorded model; and the batch of two pairs of texts that all of them read.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/golden_model.hpp"
#include "support/weights_as.hpp"
#include "temper/adapter/full.hpp"
#include "temper/adapter/peft.hpp"
#include "temper/model/teacher.hpp"
#include "temper/objective/any_objective.hpp"
#include "temper/objective/classification.hpp"
#include "temper/objective/distillation.hpp"
#include "temper/objective/dpo.hpp"
#include "temper/objective/reward.hpp"
#include "temper/optimizer/adafactor.hpp"
#include "temper/optimizer/adamw_8bit.hpp"
#include "temper/optimizer/any_optimizer.hpp"
#include "temper/optimizer/lion.hpp"
#include "temper/optimizer/muon.hpp"
#include "temper/optimizer/sgd.hpp"
#include "temper/storage/any_storage.hpp"

namespace temper_test {

struct StorageCase {
  std::string_view name;
  Element element;
  AnyStorage storage;

  bool quantized() const { return storage.chosen.index() != 0; }
};

inline const std::vector<StorageCase>& storage_cases() {
  static const std::vector<StorageCase> all = {{"f32", Element::f32, {}},
                                               {"bf16", Element::bf16, {}},
                                               {"f16", Element::f16, {}},
                                               {"nf4", Element::bf16, {Nf4{}}},
                                               {"nf4, single", Element::bf16, {Nf4{.double_quantized = false}}},
                                               {"fp4", Element::bf16, {Fp4{}}},
                                               {"int8", Element::bf16, {Int8{}}}};
  return all;
}

template <class B>
using Master = Decoder<B, Frozen>;
template <class B>
using EveryObjective = AnyObjective<CausalLm, Dpo, Reward, Classification, Taught<const Teacher<Master<B>>>>;

enum class Family { language, preference, reward, classification, distillation, policy };
inline constexpr std::array<std::string_view, 6> family_names = {"causal LM",      "preference",   "reward model",
                                                                 "classification", "distillation", "PPO"};

template <class B>
struct ObjectiveCase {
  Family family;
  std::string name;
  EveryObjective<B> objective;
  Index scores = 0;  // of the model's score head
  Base base = Base::replaced;
  std::vector<double> labels = {};
};

template <class B>
std::vector<ObjectiveCase<B>> objective_cases(const Teacher<Master<B>>& teacher) {
  std::vector<ObjectiveCase<B>> all = {{Family::language, "causal LM", {CausalLm{}}}};
  for (const auto& [form, name] : {std::pair(Preference::sigmoid, "dpo, sigmoid"),
                                   {Preference::hinge, "dpo, hinge"},
                                   {Preference::ipo, "dpo, ipo"},
                                   {Preference::simpo, "dpo, simpo"},
                                   {Preference::orpo, "dpo, orpo"}}) {
    const Dpo dpo{.form = form, .beta = 0.3};
    const Base base = dpo.reads_reference() ? Base::kept : Base::replaced;
    all.push_back({Family::preference, name, {dpo}, 0, base});
  }
  all.push_back({Family::reward, "reward", {Reward{.center_coefficient = 0.01}}, 1});
  all.push_back({Family::classification,
                 "single label",
                 {Classification{}},
                 3,
                 Base::replaced,
                 {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0}});
  all.push_back({Family::classification,
                 "multi label",
                 {Classification{.problem = Problem::multi_label}},
                 3,
                 Base::replaced,
                 {1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0}});
  all.push_back({Family::classification,
                 "regression",
                 {Classification{.problem = Problem::regression}},
                 3,
                 Base::replaced,
                 {0.5, -1, 2, 0, 1, 0.3, -0.7, 0.2, 1, 1.5, 0, 0}});
  all.push_back({Family::distillation,
                 "distillation",
                 {Taught<const Teacher<Master<B>>>{{.temperature = 2, .alpha = 0.7}, &teacher}}});
  return all;
}

using EveryOptimizer = AnyOptimizer<AdamW, Sgd, Adafactor, Lion, AdamW8bit, Muon>;

struct OptimizerCase {
  std::string_view name;
  EveryOptimizer rule;
  double rate;
};

// Tensors here are small, so 8-bit moments begin at a smaller size than they do by default.
inline const std::vector<OptimizerCase>& optimizer_cases() {
  static const std::vector<OptimizerCase> all = {{"adamw", {AdamW{}}, 2e-3},
                                                 {"sgd", {Sgd{.momentum = 0.9}}, 1e-2},
                                                 {"adafactor", {Adafactor{}}, 2e-3},
                                                 {"lion", {Lion{}}, 1e-3},
                                                 {"adamw_8bit", {AdamW8bit{.smallest = 64}}, 2e-3},
                                                 {"muon", {Muon{}}, 2e-3}};
  return all;
}

// Two pairs of texts; four documents for objectives that read no pairs.
inline const PackedRows& matrix_rows() {
  static const PackedRows rows = [] {
    PackedRows made;
    made.add({3, 4, 5, 6, 7, 8}, {0, 0, 0, 1, 1, 1});
    made.add({3, 4, 5, 9, 10}, {0, 0, 0, 1, 1});
    made.add({11, 12, 13, 14}, {0, 0, 1, 1});
    made.add({11, 12, 15, 16, 17}, {0, 0, 1, 1, 1});
    return made;
  }();
  return rows;
}

template <class B>
HostBatch batch_of(const ObjectiveCase<B>& chosen) {
  HostBatch batch = matrix_rows().host();
  batch.labels = chosen.labels;
  return batch;
}

inline const std::filesystem::path matrix_student = golden_models / "llama3";

// One model for each adapter, storage and head; the teacher is of another family.
template <class B, class A>
Decoder<B, A> matrix_model(const A& adapter, const StorageCase& storage, Index scores, Base base) {
  static const std::map<Element, std::shared_ptr<const WeightSource>> sources = [] {
    std::map<Element, std::shared_ptr<const WeightSource>> made;
    for (const Element element : {Element::f32, Element::bf16, Element::f16})
      made[element] = std::make_shared<WeightsAs>(matrix_student, element);
    return made;
  }();
  return {open_config(matrix_student), adapter, sources.at(storage.element), {.base = base, .scores = scores}};
}

template <class A>
A adapter_on(const AnyStorage& storage) {
  const Lora<AnyStorage> lora{.rank = 2, .alpha = 4, .storage = storage};
  if constexpr (std::is_same_v<A, Full>)
    return {};
  else if constexpr (std::is_same_v<A, Lora<AnyStorage>>)
    return lora;
  else if constexpr (std::is_same_v<A, Dora<AnyStorage>>)
    return {lora};
  else
    return {.virtual_tokens = 3, .initial_tokens = {}, .storage = storage};
}

}  // namespace temper_test
