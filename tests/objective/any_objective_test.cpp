// SPDX-License-Identifier: MIT
#include "temper/objective/any_objective.hpp"

#include "support/golden_model.hpp"

namespace any_objective_test {

using namespace temper_test;

using Any = AnyObjective<CausalLm, Dpo>;

TEST_CASE("any objective: each alternative gives the bits that it gives by itself") {
  const GoldenBatch golden("qwen2");
  const PackedRows rows = golden.packed(0, 4);
  const AdamW rule;
  const auto step = [&](const auto& objective) {
    auto model = open_decoder<Cpu<float>>(golden_models / "qwen2", Lora<>{.rank = 3});
    Trainee trainee(model, objective, rule, shape_of(rows.host()));
    begin_step(trainee.session, model, 0, static_cast<double>(counted<Cpu<float>>(objective, rows.host())));
    const Loss loss = forward_backward(trainee.session, model, objective, rows.host());
    return std::tuple(loss.sum, loss.count, clip_gradients(trainee.session, model, 1.0), trainee.plan.peak_bytes());
  };
  CHECK(step(Any{CausalLm{}}) == step(CausalLm{}));
  CHECK(step(Any{Dpo{}}) == step(Dpo{}));
  CHECK(step(CausalLm{}) != step(Dpo{}));
}

TEST_CASE("any objective: what is counted, and whether a reference is read, is the chosen one's to say") {
  const PackedRows rows = GoldenBatch("qwen2").packed(0, 4);
  CHECK(counted<Cpu<float>>(Any{CausalLm{}}, rows.host()) == rows.count());
  CHECK(counted<Cpu<float>>(Any{Dpo{}}, rows.host()) == 2);
  CHECK(!reads_reference(Any{CausalLm{}}));
  CHECK(reads_reference(Any{Dpo{}}));
  CHECK(!reads_reference(Any{Dpo{.form = Preference::simpo}}));
}

}  // namespace any_objective_test
