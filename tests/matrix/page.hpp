// SPDX-License-Identifier: MIT
// docs/support.md as a text: counts of the cells that were proven, and the sentence of each refusal as it is thrown.
#pragma once
#include "io/scratch.hpp"
#include "matrix/cells.hpp"
#include "matrix/proven.hpp"
#include "temper/adapter/merge.hpp"
#include "temper/train/ppo_step.hpp"

namespace temper_test {

inline constexpr std::array<std::size_t, 6> objectives_of = {1, 5, 1, 3, 1, 3};  // in each family

struct AdapterRow {
  std::string_view name;
  Proven proven;
};

// What a call throws, without the paths of this machine.
template <class Work>
std::string sentence_of(const Work& work) {
  const temper::test::Thrown thrown = temper::test::thrown_by(work);
  std::string text = thrown.message;
  const std::string here = std::string(TEMPER_TESTS) + "/golden/";
  for (auto at = text.find(here); at != std::string::npos; at = text.find(here)) text.erase(at, here.size());
  return "`" + text + "` (`" + thrown.code + "`)";
}

inline std::string expected_sentence(const std::string& must_not_compile) {
  const std::string text =
      temper::test::content_of(std::filesystem::path(TEMPER_TESTS) / "must_not_compile" / must_not_compile);
  const std::string mark = "// expects: ";
  const auto begin = text.find(mark) + mark.size();
  return "`" + text.substr(begin, text.find('\n', begin) - begin) + "` (the compiler)";
}

struct Refusal {
  std::string_view what;
  std::string sentence;
};

inline std::vector<Refusal> refusals() {
  using B = Cpu<float>;
  const auto checkpoint = std::filesystem::path(TEMPER_TESTS) / "golden/storage/checkpoint_nf4";
  const auto model = golden_models / "llama3";
  const HostBatch batch = matrix_rows().host();
  const auto steps = [&](auto& student, const auto& objective) {
    const Sgd rule;
    Trainee trainee(student, objective, rule, shape_of(batch), {.threads = 1});
    begin_step(trainee.session, student, 0, 2);
    forward_backward(trainee.session, student, objective, batch);
  };
  return {
      {"Full fine-tuning on a quantized storage; LoRA and DoRA are for that",
       expected_sentence("full_on_a_storage.cpp")},
      {"Full fine-tuning of a checkpoint that is quantized already",
       sentence_of([&] { open_decoder<B>(checkpoint, Full{}); })},
      {"A checkpoint that is quantized already on another storage",
       sentence_of([&] { open_decoder<B>(checkpoint, Lora<Int8>{.rank = 2}); })},
      {"Full fine-tuning with sigmoid, hinge or ipo, built without `Base::kept`: the reference is gone",
       sentence_of([&] {
         auto student = open_decoder<B>(model, Full{});
         steps(student, EveryObjective<B>{Dpo{}});
       })},
      {"Rewards or classes from a language head; words from a score head", sentence_of([&] {
         auto student = open_decoder<B>(model, Full{});
         steps(student, EveryObjective<B>{Reward{}});
       })},
      {"PPO as the objective of a step that reads given texts", expected_sentence("objective_of_a_policy.cpp")},
      {"PPO of a model with a score head", sentence_of([&] {
         auto student = open_decoder<B>(model, Lora<>{.rank = 2}, {.scores = 1});
         Policy policy(student, ValueHead::none);
         plan_ppo_step(policy, Sgd{}, shape_of(batch));
       })},
      {"A teacher with fewer tokens than its student", sentence_of([&] {
         auto master = open_decoder<B>(model, Frozen{});
         Teacher(master, master.config().vocabulary + 1);
       })},
      {"Folding learned states into the weights: prompt tuning has none to fold", sentence_of([&] {
         const temper::test::ScratchFolder folder;
         merge_adapter(model, model / "adapter_prompt", folder / "merged");
       })},
  };
}

inline std::string support_page(const std::vector<AdapterRow>& rows) {
  int cells = 0, policies = 0, gradients = 0, folders = 0, resumed = 0;
  for (const AdapterRow& row : rows) {
    gradients += row.proven.gradients, folders += row.proven.folders, resumed += row.proven.resumed;
    for (const auto& by_family : row.proven.cells) {
      for (const int count : by_family) cells += count;
      policies += by_family[static_cast<std::size_t>(Family::policy)];
    }
  }
  std::string text = fmt::format(
      "# What goes with what\n\n"
      "Any adapter on any storage, under any objective, by any optimizer: {} cells, each of them run by "
      "`tests/matrix/support_test.cpp`, which also wrote this page.\n\n"
      "A number counts the cells that hold: objectives of the family times optimizers. `-` is refused, see below.\n\n",
      cells);
  text += "| objective | adapter |";
  for (const StorageCase& storage : storage_cases()) text += fmt::format(" {} |", storage.name);
  text += " optimizers |\n|---|---|";
  for (std::size_t s = 0; s < storage_cases().size(); ++s) text += "---|";
  text += "---|\n";
  for (std::size_t family = 0; family < family_names.size(); ++family)
    for (const AdapterRow& row : rows) {
      text += fmt::format("| {} | `{}` |", &row == &rows.front() ? "**" + std::string(family_names[family]) + "**" : "",
                          row.name);
      bool all = true;
      for (const auto& by_family : row.proven.cells) {
        all = all && by_family[family] % static_cast<int>(objectives_of[family] * optimizer_cases().size()) == 0;
        text += by_family[family] ? fmt::format(" {} |", by_family[family]) : " - |";
      }
      text += all ? " all six |\n" : " not all |\n";
    }
  text +=
      "\n- Objectives: causal LM; preference by `sigmoid`, `hinge`, `ipo`, `simpo`, `orpo`; reward; single label, "
      "multi "
      "label, regression; distillation from a teacher of another family; PPO with the advantages `gae`, `group`, "
      "`leave_one_out`.\n- Optimizers:";
  for (const OptimizerCase& optimizer : optimizer_cases())
    text += fmt::format("{} `{}`", optimizer.name == "adamw" ? "" : ",", optimizer.name);
  text +=
      ".\n- Storages are of the weights that are not trained; `nf4, single` is NF4 whose scales are not quantized. "
      "What is "
      "trained is float32.\n\n"
      "## What holds in a cell\n\n"
      "On a recorded Llama of two layers:\n\n"
      "| claim | held how often |\n|---|---|\n";
  text += fmt::format("| three steps on one batch: the loss is finite and falls | in each of {} cells |\n",
                      cells - policies);
  text += fmt::format(
      "| PPO: on answers that the policy drew the ratio is exactly 1, and an update lowers their loss | in each of {} "
      "cells |\n",
      policies);
  text += fmt::format(
      "| but for PPO, the gradient in double, along two random directions through everything that is trained, is the "
      "central "
      "difference to 1e-6 | for each adapter, storage and objective: {} |\n",
      gradients);
  text += fmt::format(
      "| what is written for others (a PEFT folder; a model folder for `Full`) is read again to the bit | the same: {} "
      "|\n",
      folders);
  text += fmt::format(
      "| saved after the second step and loaded into a fresh session, the third step has the same bits | for each "
      "adapter, objective but PPO and optimizer, the storages in turn: {} |\n",
      resumed);
  text +=
      "\nGradients of DoRA take the norms of its rows as constants, as the paper does. `adamw_8bit` codes moments of "
      "64 "
      "elements and more here, so that the tiny model has some.\n\n"
      "## What is refused\n\n";
  for (const Refusal& refusal : refusals()) text += fmt::format("- {}: {}\n", refusal.what, refusal.sentence);
  text +=
      "\n## How to write this page again\n\n"
      "```sh\nTEMPER_WRITE_SUPPORT=1 build/dev/tests/matrix --source-file='*support_test.cpp'\n```\n\n"
      "Without the variable the test compares, and fails where the page is out of date.\n";
  return text;
}

}  // namespace temper_test
