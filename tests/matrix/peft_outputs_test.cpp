// SPDX-License-Identifier: MIT
// Adapters after three steps, written as PEFT's folders and read again. With TEMPER_WRITE_ADAPTERS=DIR they stay there,
// each with the logits of two texts, for tests/golden/model/check_outputs.py.
#include <cstdlib>

#include "matrix/proof.hpp"

namespace peft_outputs_test {

using namespace temper_test;
using B = Cpu<float>;

// Documents and what the model says to them: all tokens' logits, or the scores of the last token.
template <class M>
void write_logits(M& model, const std::filesystem::path& file) {
  const std::vector<std::vector<TokenId>> texts = {{3, 4, 5, 6, 7, 8, 9, 10}, {11, 12, 13}};
  std::vector<std::vector<std::uint8_t>> tokens;
  std::vector<std::vector<float>> logits;
  std::vector<TensorToWrite> tensors;
  for (const auto& text : texts) {
    PackedRows row;
    row.add(text, std::vector<int>(text.size(), 1));
    logits.push_back(logits_of(model, row));
    if (model.scores() > 0) logits.back().erase(logits.back().begin(), logits.back().end() - model.scores());
    tokens.emplace_back(text.begin(), text.end());
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string number = "." + std::to_string(i);
    tensors.push_back(tensor_of_codes("tokens" + number, {std::ssize(tokens[i])}, tokens[i]));
    tensors.push_back(
        tensor_of_bytes("logits" + number, Element::f32, {std::ssize(logits[i])}, std::as_bytes(std::span(logits[i]))));
  }
  write_safetensors(file, tensors);
}

template <class A>
void writes_and_reads(const std::string& name, const std::filesystem::path& under) {
  Master<B> master = open_decoder<B>(golden_models / "qwen3", Frozen{});
  const Teacher teacher(master, open_config(matrix_student).vocabulary);
  for (const ObjectiveCase<B>& chosen : objective_cases<B>(teacher)) {
    if (chosen.name != "causal LM" && chosen.name != "single label") continue;
    const std::string called = name + (chosen.scores > 0 ? "_classifier" : "");
    CAPTURE(called);
    auto model = matrix_model<B>(adapter_on<A>({}), storage_cases()[0], chosen.scores, chosen.base);
    const EveryOptimizer rule{AdamW{}};
    Trainee trainee(model, chosen.objective, rule, shape_of(batch_of(chosen)), {.threads = 1});
    for (Step k = 0; k < 3; ++k) {
      begin_step(trainee.session, model, k, 4);
      forward_backward(trainee.session, model, chosen.objective, batch_of(chosen));
      update(trainee.session, model, rule, 0.02);
    }
    std::optional<ScoreLabels> labels;
    if (chosen.scores > 0) labels = ScoreLabels{Problem::single_label, {"good", "bad", "neither"}, 0};
    std::filesystem::create_directories(under / called);
    save_peft(model, "base", under / called, labels);
    write_logits(model, under / called / "logits.safetensors");
    auto again = matrix_model<B>(adapter_on<A>({}), storage_cases()[0], chosen.scores, chosen.base);
    load_peft(again, under / called, labels);
    CHECK(logits_of(again, matrix_rows()) == logits_of(model, matrix_rows()));
  }
}

TEST_CASE(
    "peft outputs: each kind of adapter is read again, with a language head and a classifier's, to the same logits") {
  const temper::test::ScratchFolder scratch(quick_folder());
  const char* asked = std::getenv("TEMPER_WRITE_ADAPTERS");
  const std::filesystem::path under = asked ? std::filesystem::path(asked) : scratch.path();
  writes_and_reads<Lora<AnyStorage>>("lora", under);
  writes_and_reads<Dora<AnyStorage>>("dora", under);
  writes_and_reads<PromptTuningOn<AnyStorage>>("prompt", under);
}

}  // namespace peft_outputs_test
