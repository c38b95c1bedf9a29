// SPDX-License-Identifier: MIT
#include "temper/adapter/lora.hpp"

#include <doctest/doctest.h>

#include "support/layer_bench.hpp"

namespace lora_test {

using namespace temper_test;

using List = std::vector<std::string>;

const std::string q_proj = "model.layers.3.self_attn.q_proj", k_proj = "model.layers.3.self_attn.k_proj";

template <class Real = double>
auto made(LayerBench<Real>& bench, const Lora<>& lora, LinearShape shape, const std::string& path = q_proj) {
  return lora.linear(bench.build, path, shape);
}

std::string code_of(auto&& call) {
  try {
    call();
  } catch (const Error& error) { return error.code(); }
  return "none";
}

TEST_CASE("lora: gradients match central differences in every form") {
  const Lora<> forms[] = {{.rank = 2, .alpha = 6},
                          {.rank = 1, .alpha = 1},
                          {.rank = 3, .alpha = 4, .dropout = 0.3},
                          {.rank = 4, .alpha = 4, .rank_stabilized = true},
                          {.rank = 2, .targets = {"v_proj"}},
                          {.rank = 2, .bias = Bias::all},
                          {.rank = 2, .dropout = 0.3, .bias = Bias::lora_only},
                          {.rank = 2, .modules_to_save = {"q_proj"}}};
  for (std::size_t f = 0; f < std::size(forms); ++f)
    for (const bool bias : {false, true}) {
      CAPTURE(f);
      CAPTURE(bias);
      LayerBench<double> bench;
      auto layer = made(bench, forms[f], {.in = 5, .out = 6, .bias = bias});
      const GradientCheck check = check_layer(layer, 7, 5, 6);
      CAPTURE(check.where);
      CHECK(check.largest_error < 1e-7);
    }
}

TEST_CASE_TEMPLATE("lora: at the start it computes what its base computes, bit for bit", Real, float, double) {
  for (const bool rank_stabilized : {false, true})
    for (const double dropout : {0.0, 0.3}) {
      LayerBench<Real> bench(9), base_bench(9);
      auto layer = made(bench, {.rank = 3, .dropout = dropout, .rank_stabilized = rank_stabilized}, {20, 30, true});
      auto untargeted = made(base_bench, {.targets = {"k_proj"}}, {20, 30, true});
      CHECK(bench.output(layer, 10, 20, 30) == base_bench.output(untargeted, 10, 20, 30));
      layer.low_rank->b.value(1, 1) = 1;
      CHECK(bench.output(layer, 10, 20, 30) != base_bench.output(untargeted, 10, 20, 30));
    }
}

TEST_CASE("lora: its result is x W^T + s x A^T B^T, with s = alpha / R or alpha / sqrt(R)") {
  for (const auto& [stabilized, scale] : {std::pair{false, 1.5}, {true, 3.0}}) {
    LayerBench<double> bench;
    auto layer = made(bench, {.rank = 4, .alpha = 6, .rank_stabilized = stabilized}, {5, 6});
    auto& a = layer.low_rank->a.value;
    auto& b = layer.low_rank->b.value;
    for (Index i = 0; i < b.size(); ++i) b.data[i] = 0.1 * static_cast<double>(i) - 1;
    const auto y = bench.output(layer, 2, 5, 6);
    const auto x = LayerBench<double>::numbers(10, 1);
    const auto* w = static_cast<const double*>(layer.base.frozen.weight.data);
    for (Index t = 0; t < 2; ++t)
      for (Index o = 0; o < 6; ++o) {
        double expected = 0;
        for (Index i = 0; i < 5; ++i) {
          double weight = w[o * 5 + i];
          for (Index r = 0; r < 4; ++r) weight += scale * b(o, r) * a(r, i);
          expected += weight * x[static_cast<std::size_t>(t * 5 + i)];
        }
        CHECK(y[static_cast<std::size_t>(t * 6 + o)] == doctest::Approx(expected).epsilon(1e-12));
      }
  }
}

TEST_CASE("lora: dropout is off in evaluation, and in training depends on step, token and layer alone") {
  LayerBench<double> bench;
  const Lora<> lora{.rank = 2, .dropout = 0.5};
  auto layer = made(bench, lora, {16, 3});
  for (Index i = 0; i < layer.low_rank->b.size(); ++i) layer.low_rank->b.value.data[i] = 1;
  const auto at = [&](Step step, Index token) {
    bench.ctx.set_position({.step = step, .first_token = token});
    return bench.output(layer, 4, 16, 3);
  };
  const auto first = at(1, 0);
  CHECK(at(1, 0) == first);
  CHECK(at(2, 0) != first);
  CHECK(at(1, 4) != first);
  bench.ctx.set_mode(Mode::evaluating);
  const auto evaluated = at(1, 0);
  CHECK(evaluated != first);
  CHECK(at(2, 4) == evaluated);
  CHECK(made(bench, lora, {16, 3}, k_proj).low_rank->site != layer.low_rank->site);
}

TEST_CASE("lora: a target names the modules that end so, word by word") {
  CHECK(names_module(q_proj, "q_proj"));
  CHECK(names_module(q_proj, "self_attn.q_proj"));
  CHECK(names_module(q_proj, q_proj));
  CHECK(names_module("lm_head", "lm_head"));
  for (const char* other : {"proj", "_proj", ".q_proj", "k_proj", "attn.q_proj", "self_attn", "model.layers.3", ""})
    CHECK_FALSE(names_module(q_proj, other));
  CHECK_FALSE(names_module("q_proj", q_proj));
  CHECK(names_module(q_proj, List{"k_proj", "q_proj"}));
  CHECK_FALSE(names_module(q_proj, List{}));
}

TEST_CASE("lora: without targets every projection is adapted, and a module that is saved whole is not") {
  CHECK(Lora<>{}.adapts(q_proj));
  CHECK(Lora<>{.targets = {"q_proj"}}.adapts(q_proj));
  CHECK_FALSE(Lora<>{.targets = {"q_proj"}}.adapts(k_proj));
  const Lora<> saves{.modules_to_save = {"q_proj", "lm_head"}};
  CHECK_FALSE(saves.adapts(q_proj));
  CHECK(saves.trains(q_proj));
  CHECK(saves.trains("lm_head"));
  CHECK_FALSE(saves.trains("model.norm"));
}

TEST_CASE("lora: what is trained follows from bias, targets and modules to save") {
  const auto names = [](const Lora<>& lora, const std::string& path) {
    LayerBench<float> bench;
    auto layer = made(bench, lora, {4, 4, true}, path);
    return names_of(layer);
  };
  const List pair = {q_proj + ".lora_A.weight", q_proj + ".lora_B.weight"};
  const List with_bias = {q_proj + ".bias", pair[0], pair[1]};
  CHECK(names({.rank = 2}, q_proj) == pair);
  CHECK(names({.rank = 2, .bias = Bias::all}, q_proj) == with_bias);
  CHECK(names({.rank = 2, .bias = Bias::lora_only}, q_proj) == with_bias);
  CHECK(names({.rank = 2, .targets = {"q_proj"}}, k_proj) == List{});
  CHECK(names({.rank = 2, .targets = {"q_proj"}, .bias = Bias::all}, k_proj) == List{k_proj + ".bias"});
  CHECK(names({.rank = 2, .targets = {"q_proj"}, .bias = Bias::lora_only}, k_proj) == List{});
  CHECK(names({.rank = 2, .modules_to_save = {"k_proj"}}, k_proj) == List{k_proj + ".weight", k_proj + ".bias"});
}

TEST_CASE("lora: LoRA+ raises the rate of B alone") {
  LayerBench<float> bench;
  const auto layer = made(bench, {.rank = 2, .lora_plus_ratio = 16}, {4, 4});
  CHECK(layer.low_rank->a.rate_scale == 1);
  CHECK(layer.low_rank->b.rate_scale == 16);
}

TEST_CASE("lora: a rank that is no rank of the matrix is refused") {
  LayerBench<float> bench;
  for (const Index rank : {-1, 0, 4}) CHECK(code_of([&] { made(bench, {.rank = rank}, {3, 9}); }) == "lora.rank");
  CHECK(code_of([&] { made(bench, {.rank = 3}, {3, 9}); }) == "none");
}

TEST_CASE("lora: a name that no module has is refused, with the setting that names it") {
  const ModuleNames modules{.all = {q_proj, k_proj, "model.norm", "lm_head"}, .projections = {q_proj, k_proj}};
  const auto code = [&](const Lora<>& lora) { return code_of([&] { lora.check_names(modules); }); };
  CHECK(code({}) == "none");
  CHECK(code({.targets = {"q_proj", "self_attn.k_proj"}, .modules_to_save = {"lm_head", "norm"}}) == "none");
  CHECK(code({.targets = {"q_proj", "q_prj"}}) == "lora.unknown_module");
  CHECK(code({.targets = {"lm_head"}}) == "lora.unknown_module");
  CHECK(code({.modules_to_save = {"lm_heads"}}) == "lora.unknown_module");
  CHECK(code({.modules_to_save = {""}}) == "lora.unknown_module");
}

}  // namespace lora_test
