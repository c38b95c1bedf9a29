// SPDX-License-Identifier: MIT
#include "temper/adapter/frozen.hpp"

#include "support/golden_model.hpp"
#include "support/layer_bench.hpp"

namespace frozen_test {

using namespace temper_test;

TEST_CASE("frozen: nothing is trained, and the gradient of the input is right") {
  LayerBench<double> bench;
  auto layer = Frozen{}.linear(bench.build, "q_proj", {5, 6, true});
  CHECK(names_of(layer).empty());
  CHECK(check_layer(layer, 7, 5, 6).largest_error < 1e-8);
}

TEST_CASE("frozen: the model computes the bits of the whole model before training, and holds no gradients") {
  for (const std::string family : {"llama3", "qwen2", "qwen3"}) {
    CAPTURE(family);
    auto model = open_decoder<Cpu<float>>(golden_models / family, Frozen{});
    auto whole = open_decoder<Cpu<float>>(golden_models / family, Full{});
    const PackedRows rows = GoldenBatch(family).packed(0, 3);
    CHECK(logits_of(model, rows) == logits_of(whole, rows));
    CHECK(trained_elements(model) == 0);
    CHECK(model.bytes()[static_cast<std::size_t>(Holder::gradients)] == 0);
    CHECK(model.bytes()[static_cast<std::size_t>(Holder::trained_weights)] == 0);
  }
}

}  // namespace frozen_test
