// SPDX-License-Identifier: MIT
#include "temper/adapter/full.hpp"

#include <doctest/doctest.h>

#include "support/layer_bench.hpp"

namespace full_test {

using namespace temper_test;

TEST_CASE("full: gradients match central differences, with and without a bias") {
  CHECK(check_adapter_gradient(Full{}, 6, 5, 3).largest_error < 1e-8);
  LayerBench<double> bench;
  auto layer = Full{}.linear(bench.build, "p", {.in = 5, .out = 3, .bias = true});
  const GradientCheck check = check_layer(layer, 6, 5, 3);
  CAPTURE(check.where);
  CHECK(check.largest_error < 1e-8);
}

TEST_CASE("full: gradients add up over calls") {
  LayerBench<double> bench;
  auto layer = Full{}.linear(bench.build, "p", {.in = 2, .out = 3});
  for (Index i = 0; i < 6; ++i) layer.base.weight->gradient.data[i] = 0;
  const auto x = bench.filled(4, 2, 1), dy = bench.filled(4, 3, 2), dx = bench.filled(4, 2, 3),
             y = bench.filled(4, 3, 4);
  std::vector<double> once;
  for (int pass = 0; pass < 2; ++pass) {
    Full::Linear<Cpu<double>>::Saved saved;
    layer.forward(bench.ctx, x, into(y), saved);
    layer.backward(bench.ctx, dy, into(dx), saved);
    const double* gradient = layer.base.weight->gradient.data;
    if (pass == 0)
      once.assign(gradient, gradient + 6);
    else
      for (std::size_t i = 0; i < 6; ++i) CHECK(gradient[i] == doctest::Approx(2 * once[i]).epsilon(1e-12));
  }
}

TEST_CASE("full: everything is trained, under the names of the files") {
  LayerBench<float> bench;
  auto layer = Full{}.linear(bench.build, "model.layers.0.mlp.up_proj", {.in = 2, .out = 3, .bias = true});
  CHECK(names_of(layer) ==
        std::vector<std::string>{"model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.bias"});
  for (const char* path : {"model.norm", "lm_head", "model.embed_tokens"}) CHECK(Full{}.trains(path));
}

}  // namespace full_test
