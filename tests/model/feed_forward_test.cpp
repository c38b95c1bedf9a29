// SPDX-License-Identifier: MIT
#include "temper/model/feed_forward.hpp"

#include "support/layer_bench.hpp"
#include "support/small_config.hpp"
#include "temper/adapter/full.hpp"

namespace feed_forward_test {

using namespace temper_test;

TEST_CASE("feed forward: gradients match central differences, with and without biases") {
  for (const bool bias : {false, true}) {
    LayerBench<double> bench;
    Config config = small_config();
    config.feed_forward_bias = bias;
    auto layer = feed_forward(bench.build, Full{}, "model.layers.0.mlp", config);
    const GradientCheck check = check_layer(layer, 5, config.width, config.width);
    CAPTURE(check.where);
    CHECK(check.largest_error < 1e-7);
  }
}

TEST_CASE("feed forward: it is down(silu(gate) * up)") {
  LayerBench<double> bench;
  Config config = small_config();
  config.width = 1, config.feed_forward = 1;
  auto layer = feed_forward(bench.build, Full{}, "mlp", config);
  layer.gate.base.weight->value(0, 0) = 2;
  layer.up.base.weight->value(0, 0) = 3;
  layer.down.base.weight->value(0, 0) = 5;
  const double x = LayerBench<double>::numbers(1, 1)[0];
  const double expected = 5 * (2 * x / (1 + std::exp(-2 * x))) * 3 * x;
  CHECK(bench.output(layer, 1, 1, 1)[0] == doctest::Approx(expected).epsilon(1e-12));
}

TEST_CASE("feed forward: parameters have the names of the files") {
  LayerBench<float> bench;
  auto layer = feed_forward(bench.build, Full{}, "model.layers.1.mlp", small_config());
  CHECK(names_of(layer) == std::vector<std::string>{"model.layers.1.mlp.gate_proj.weight",
                                                    "model.layers.1.mlp.up_proj.weight",
                                                    "model.layers.1.mlp.down_proj.weight"});
}

}  // namespace feed_forward_test
