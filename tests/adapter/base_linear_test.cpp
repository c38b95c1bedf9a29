// SPDX-License-Identifier: MIT
#include "temper/adapter/base_linear.hpp"

#include <doctest/doctest.h>

#include "support/layer_bench.hpp"

namespace base_linear_test {

using namespace temper_test;

// A base as a layer, as Full and Lora use it.
struct Alone {
  struct Saved {
    In<Cpu<double>> x;
  };
  BaseLinear<Cpu<double>> base;
  void forward(Context<Cpu<double>>& ctx, In<Cpu<double>> x, Out<Cpu<double>> y, Saved& saved) {
    saved.x = x;
    base.forward(ctx, x, y);
  }
  void backward(Context<Cpu<double>>& ctx, In<Cpu<double>> dy, Out<Cpu<double>> dx, Saved& saved) {
    base.backward(ctx, dy, dx, saved.x);
  }
  void visit(auto&& each) { base.visit(each); }
};

constexpr Trains all_kinds[] = {Trains::nothing, Trains::weight, Trains::bias, Trains::weight_and_bias};

TEST_CASE("base linear: gradients match central differences, whatever of it is trained") {
  for (const Trains trains : all_kinds)
    for (const bool bias : {false, true}) {
      CAPTURE(static_cast<int>(trains));
      CAPTURE(bias);
      LayerBench<double> bench;
      Alone layer{base_linear(bench.build, "p", {.in = 5, .out = 3, .bias = bias}, trains)};
      const GradientCheck check = check_layer(layer, 6, 5, 3);
      CAPTURE(check.where);
      CHECK(check.largest_error < 1e-8);
    }
}

TEST_CASE("base linear: what is trained is given to visitors, under the names of files") {
  const auto names = [](Trains trains, bool bias) {
    LayerBench<double> bench;
    auto layer = base_linear(bench.build, "m.q_proj", {.in = 5, .out = 3, .bias = bias}, trains);
    return names_of(layer);
  };
  using List = std::vector<std::string>;
  CHECK(names(Trains::nothing, true) == List{});
  CHECK(names(Trains::weight, true) == List{"m.q_proj.weight"});
  CHECK(names(Trains::bias, true) == List{"m.q_proj.bias"});
  CHECK(names(Trains::weight_and_bias, true) == List{"m.q_proj.weight", "m.q_proj.bias"});
  CHECK(names(Trains::weight_and_bias, false) == List{"m.q_proj.weight"});
  CHECK(names(Trains::bias, false) == List{});
}

TEST_CASE_TEMPLATE("base linear: trained or frozen, it computes x W^T + b", Real, float, double) {
  for (const Trains trains : all_kinds) {
    LayerBench<Real> bench;
    auto layer = base_linear(bench.build, "p", {.in = 2, .out = 2, .bias = true}, trains);
    const std::vector<Real> w = {1, 2, 3, 4};
    if (layer.weight)
      std::copy(w.begin(), w.end(), layer.weight->value.data);
    else
      layer.frozen.weight = DenseMatrix<Cpu<Real>>(View<Cpu<Real>, const Real, 2>(w.data(), {2, 2}));
    const std::vector<Real> b = {10, 20};
    if (layer.bias)
      std::copy(b.begin(), b.end(), layer.bias->value.data);
    else
      layer.frozen.bias = {b.data(), {2}};
    const std::vector<Real> x = {1, 1, 0, 2};
    std::vector<Real> y(4, 100);
    const View<Cpu<Real>, Real, 2> result(y.data(), {2, 2});
    layer.forward(bench.ctx, {x.data(), {2, 2}}, into(result));
    CHECK(y == std::vector<Real>{13, 27, 14, 28});
    layer.forward(bench.ctx, {x.data(), {2, 2}}, onto(result));
    CHECK(y == std::vector<Real>{26, 54, 28, 56});
  }
}

}  // namespace base_linear_test
