// SPDX-License-Identifier: MIT
// The loss of given logits and its gradient are tested in tests/backend/cpu/divergence_test.cpp.
#include "temper/objective/distillation.hpp"

#include "support/golden_model.hpp"
#include "temper/adapter/frozen.hpp"
#include "temper/model/teacher.hpp"

namespace distillation_test {

using namespace temper_test;
using B = Cpu<double>;
using Master = Decoder<B, Frozen>;

TEST_CASE("distillation: what is set is what the head is given; nothing set is the forward divergence alone") {
  const Distill plain = Distillation{}.distill();
  CHECK(plain.divergence == Divergence::forward);
  CHECK(plain.temperature == 1);
  CHECK(plain.alpha == 1);
  const Distill own = Distillation{.temperature = 2, .alpha = 0.25, .divergence = Divergence::jsd}.distill();
  CHECK(own.divergence == Divergence::jsd);
  CHECK(own.temperature == 2);
  CHECK(own.alpha == 0.25);
}

Distillation settings_of(const Json& json) {
  const std::string divergence = json["divergence"];
  return {.temperature = json["temperature"].get<double>(),
          .alpha = json["alpha"].get<double>(),
          .divergence = divergence == "reverse" ? Divergence::reverse
                        : divergence == "jsd"   ? Divergence::jsd
                                                : Divergence::forward};
}

// Twelve steps as they were recorded; the largest difference of loss, divergence and gradient norm, each relative to
// the largest of its kind.
template <class M>
void check_steps(M model, const GoldenBatch& golden, const Teacher<Master>& teacher, const Json& run) {
  const Taught<const Teacher<Master>> objective{settings_of(run["settings"]), &teacher};
  const AdamW rule;
  const Linear rate{.peak = run["learning_rate"].get<double>(), .warmup = 3, .total = 12};
  Trainee trainee(model, objective, rule, shape_of(golden.packed(0, golden.rows.size()).host()));
  std::array<std::vector<double>, 3> told;
  for (Step k = 0; k < 12; ++k) {
    const auto first = static_cast<std::size_t>(4 * k);
    const std::array batches = {golden.packed(first, first + 1), golden.packed(first + 1, first + 4)};
    double count = 0;
    for (const PackedRows& batch : batches) count += static_cast<double>(batch.count());
    begin_step(trainee.session, model, k, count);
    Loss loss;
    for (const PackedRows& batch : batches) loss += forward_backward(trainee.session, model, objective, batch.host());
    told[0].push_back(loss.mean()), told[1].push_back(loss.metrics[0].sum / loss.count);
    told[2].push_back(clip_gradients(trainee.session, model, 1.0));
    update(trainee.session, model, rule, rate(k));
  }
  constexpr std::array names = {"loss", "divergence", "grad_norm"};
  for (std::size_t i = 0; i < told.size(); ++i) {
    CAPTURE(names[i]);
    const auto expected = run[names[i]].template get<std::vector<double>>();
    REQUIRE(expected.size() == 12);
    double largest = 0, error = 0;
    for (std::size_t k = 0; k < 12; ++k) {
      largest = std::max(largest, std::abs(expected[k]));
      error = std::max(error, std::abs(expected[k] - told[i][k]));
    }
    CHECK(error / largest < (i == 2 ? 1e-7 : 1e-9));
  }
}

TEST_CASE("distillation: twelve steps from a teacher of another family are those of the reference in float64" *
          doctest::test_suite("long")) {
  const Json record = read_json(std::filesystem::path(TEMPER_TESTS) / "golden/distillation/steps.json");
  for (const std::string family : {"llama3", "qwen2"}) {
    Master master = open_decoder<B>(golden_models / record[family]["teacher"].get<std::string>(), Frozen{});
    const Teacher<Master> teacher(master, open_config(golden_models / family).vocabulary);
    const GoldenBatch golden(family);
    for (const auto& item : record[family].items()) {
      const std::string name = item.key();
      const Json& run = item.value();
      if (!run.is_object()) continue;
      INFO(family << ", " << name);
      if (name.starts_with("full")) {
        check_steps(open_decoder<B>(golden_models / family, Full{}), golden, teacher, run);
      } else {
        auto model = open_decoder<B>(golden_models / family, read_peft_config(golden_models / family / "adapter"));
        load_peft(model, golden_models / family / "adapter");
        check_steps(std::move(model), golden, teacher, run);
      }
    }
  }
}

}  // namespace distillation_test
