// SPDX-License-Identifier: MIT
#include "temper/model/decoder.hpp"

#include "support/golden_model.hpp"

namespace decoder_test {

using namespace temper_test;

// Logits of every document and all gradients of one batch, against what transformers and PEFT recorded in 'folder'.
template <class B, class A>
void matches_recorded(const std::string& family, A adapter, const std::filesystem::path& expected_folder,
                      double tolerance) {
  CAPTURE(family);
  CAPTURE(expected_folder.string());
  auto model = open_decoder<B>(golden_models / family, adapter);
  if constexpr (!std::is_same_v<A, Full>) load_peft(model, expected_folder);
  const SafetensorsFile expected(expected_folder / "expected.safetensors");
  const GoldenBatch golden(family);
  const PackedRows batch = golden.packed(0, golden.expected);
  const CausalLm objective;
  const AdamW rule;
  Trainee trainee(model, objective, rule, shape_of(batch.host()));
  begin_step(trainee.session, model, 0, static_cast<double>(batch.count()));
  const Loss loss = forward_backward(trainee.session, model, objective, batch.host());
  CHECK(loss.mean() == doctest::Approx(widen(*expected.find("loss"))[0]).epsilon(tolerance));

  std::size_t seen = 0;
  model.visit([&](auto& p) {
    const std::string name = peft_name_of(model, p.name);
    CAPTURE(name);
    const TensorInfo* gradient = expected.find("gradient." + name);
    REQUIRE(gradient);
    CHECK(relative_error<typename B::Activation>({p.gradient.data, static_cast<std::size_t>(p.size())},
                                                 widen(*gradient)) < 20 * tolerance);
    ++seen;
  });
  std::size_t recorded = 0;
  for (const TensorInfo& tensor : expected.tensors()) recorded += tensor.name.starts_with("gradient.");
  CHECK(seen == recorded);

  for (std::size_t d = 0; d < golden.expected; ++d) {
    CAPTURE(d);
    const auto logits = logits_of(model, golden.rows[d]);
    CHECK(relative_error<typename B::Activation>(logits, widen(*expected.find("logits." + std::to_string(d)))) <
          5 * tolerance);
  }
}

TEST_CASE("decoder: logits and gradients of every family are those of transformers, full") {
  for (const std::string& family : golden_families())
    matches_recorded<Cpu<float>>(family, Full{}, golden_models / family, 1e-6);
}

TEST_CASE("decoder: logits and gradients of every family are those of PEFT, LoRA") {
  for (const std::string& family : golden_families()) {
    const auto folder = golden_models / family / "adapter";
    matches_recorded<Cpu<float>>(family, read_peft_config(folder), folder, 1e-6);
  }
}

TEST_CASE("decoder: logits and gradients are those of PEFT, DoRA") {
  const auto folder = golden_models / "llama3/adapter_dora";
  matches_recorded<Cpu<float>>("llama3", read_peft_dora(folder), folder, 1e-6);
}

TEST_CASE("decoder: logits and gradients are those of PEFT, prompt tuning") {
  const auto folder = golden_models / "llama3/adapter_prompt";
  matches_recorded<Cpu<float>>("llama3", read_peft_prompt(folder), folder, 1e-6);
}

}  // namespace decoder_test
