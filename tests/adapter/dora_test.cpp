// SPDX-License-Identifier: MIT
// What PEFT recorded of DoRA stands in tests/train/step_test.cpp and tests/model/decoder_test.cpp.
#include "temper/adapter/dora.hpp"

#include "support/golden_model.hpp"
#include "support/layer_bench.hpp"

namespace dora_test {

using namespace temper_test;

const std::string q_proj = "model.layers.3.self_attn.q_proj";

template <class Real>
auto made(LayerBench<Real>& bench, const Lora<>& lora, LinearShape shape) {
  return Dora<>{lora}.linear(bench.build, q_proj, shape);
}
void randomize(auto& layer, double size = 0.3) {
  std::uint64_t element = 0;
  layer.visit([&](auto& p) {
    using Real = std::remove_reference_t<decltype(p.value.data[0])>;
    for (Index i = 0; i < p.size(); ++i) p.value.data[i] += static_cast<Real>(size * Random{7}.normal(element++));
  });
}

// The norms are constants of the gradient, so the loss that it belongs to is one that does not measure them again: that
// of a step's later micro-batches.
TEST_CASE("dora: gradients match central differences in every form, with the norms held") {
  const Lora<> forms[] = {{.rank = 2, .alpha = 6},
                          {.rank = 3, .alpha = 4, .dropout = 0.3},
                          {.rank = 4, .alpha = 4, .rank_stabilized = true},
                          {.rank = 2, .targets = {"v_proj"}},
                          {.rank = 2, .bias = Bias::all},
                          {.rank = 2, .dropout = 0.3, .bias = Bias::lora_only},
                          {.rank = 2, .modules_to_save = {"q_proj"}}};
  for (std::size_t f = 0; f < std::size(forms); ++f)
    for (const bool bias : {false, true})
      for (const bool add : {false, true}) {
        CAPTURE(f);
        CAPTURE(bias);
        CAPTURE(add);
        LayerBench<double> bench;
        auto layer = made(bench, forms[f], {5, 6, bias});
        randomize(layer);
        bench.output(layer, 7, 5, 6);
        bench.ctx.set_position({.first_token = 1});
        const auto scope = bench.ctx.scope();
        const auto x = bench.filled(7, 5, 1), weights = bench.filled(7, 6, 2), y = bench.filled(7, 6, 3),
                   start = bench.filled(7, 6, 3), dx = bench.filled(7, 5, 4);
        const std::vector<double> before(dx.data, dx.data + dx.size());
        const auto run = [&](auto&& then) {
          const auto keeping = bench.ctx.keeping();
          std::copy_n(start.data, start.size(), y.data);
          typename decltype(layer)::Saved saved{};
          layer.forward(bench.ctx, x, add ? onto(y) : into(y), saved);
          then(saved);
        };
        layer.visit([&](auto& p) { std::fill_n(p.gradient.data, p.size(), 0.0); });
        run([&](auto& saved) { layer.backward(bench.ctx, weights, add ? onto(dx) : into(dx), saved); });
        if (add)
          for (std::size_t i = 0; i < before.size(); ++i) dx.data[i] -= before[i];
        const std::function<double()> loss = [&] {
          double sum = 0;
          run([&](auto&) {
            for (Index i = 0; i < y.size(); ++i) sum += weights.data[i] * y.data[i];
          });
          return sum;
        };
        GradientCheck check;
        compare_gradient(check, "x", {x.data, 35}, {dx.data, 35}, loss);
        layer.visit([&](auto& p) {
          const auto size = static_cast<std::size_t>(p.size());
          compare_gradient(check, p.name, {p.value.data, size}, {p.gradient.data, size}, loss);
        });
        CAPTURE(check.where);
        CHECK(check.largest_error < 1e-7);
      }
}

TEST_CASE_TEMPLATE("dora: at the start a projection computes what its base computes, bit for bit", Real, float,
                   double) {
  for (const double dropout : {0.0, 0.3})
    for (const bool bias : {false, true}) {
      LayerBench<Real> bench(9), base_bench(9);
      auto layer = made(bench, {.rank = 3, .dropout = dropout}, {600, 70, bias});
      auto untargeted = made(base_bench, {.targets = {"k_proj"}}, {600, 70, bias});
      CHECK(bench.output(layer, 10, 600, 70) == base_bench.output(untargeted, 10, 600, 70));
      for (Index o = 0; o < 70; ++o) CHECK(layer.magnitude->value.data[o] == layer.norms(o));
      layer.magnitude->value.data[3] *= Real(1.01);
      CHECK(bench.output(layer, 10, 600, 70) != base_bench.output(untargeted, 10, 600, 70));
    }
}

TEST_CASE("dora: its result is m / ||W + s B A|| (W + s B A) x + b") {
  LayerBench<double> bench;
  auto layer = made(bench, {.rank = 4, .alpha = 6}, {5, 6, true});
  randomize(layer);
  const auto y = bench.output(layer, 2, 5, 6);
  const auto x = LayerBench<double>::numbers(10, 1);
  const auto* w = static_cast<const double*>(layer.base.frozen.weight.data);
  for (Index o = 0; o < 6; ++o) {
    double squares = 0, dot[2] = {};
    for (Index i = 0; i < 5; ++i) {
      double weight = w[o * 5 + i];
      for (Index r = 0; r < 4; ++r) weight += 1.5 * layer.low_rank->b.value(o, r) * layer.low_rank->a.value(r, i);
      squares += weight * weight;
      for (Index t = 0; t < 2; ++t) dot[t] += weight * x[static_cast<std::size_t>(t * 5 + i)];
    }
    for (Index t = 0; t < 2; ++t)
      CHECK(y[static_cast<std::size_t>(t * 6 + o)] ==
            doctest::Approx(layer.magnitude->value.data[o] / std::sqrt(squares) * dot[t] + layer.base.frozen.bias(o))
                .epsilon(1e-12));
  }
}

TEST_CASE("dora: norms are measured by the first micro-batch of a step and used by the others") {
  LayerBench<double> bench;
  auto layer = made(bench, {.rank = 2}, {16, 3});
  const auto at = [&](Step step, Index token) {
    bench.ctx.set_position({.step = step, .first_token = token});
    return bench.output(layer, 4, 16, 3);
  };
  const auto norm = [&] { return layer.norms(0); };
  at(0, 0);
  const double base = norm();
  layer.low_rank->b.value(0, 0) = 2;
  at(0, 4);
  CHECK(norm() == base);
  at(1, 0);
  CHECK(norm() != base);
  for (const auto& operation : bench.ctx.operations())
    if (operation.name == "dora_norms") CHECK(operation.calls == 2);
}

TEST_CASE("dora: generation measures once a text, and says what reading everything again would") {
  const auto recorded = golden_models / "llama3/adapter_dora";
  auto model = open_decoder<Cpu<float>>(golden_models / "llama3", read_peft_dora(recorded));
  load_peft(model, recorded);
  std::vector<TokenId> text = {1, 5, 9};
  Generator generator(model, 3 + 6);
  for (const TokenId token : generator(text, {.max_new_tokens = 6})) {
    PackedRows rows;
    rows.add(text, std::vector<int>(text.size(), 1));
    const auto logits = logits_of(model, rows);
    const auto last = logits.end() - model.config().vocabulary;
    CHECK(token == static_cast<TokenId>(std::max_element(last, logits.end()) - last));
    text.push_back(token);
  }
}

TEST_CASE("dora: evaluation after an update sees the weights that the update left") {
  const GoldenBatch golden("llama3");
  const PackedRows batch = golden.packed(0, 2);
  const CausalLm objective;
  const AdamW rule;
  auto model = open_decoder<Cpu<float>>(golden_models / "llama3", Dora<>{{.rank = 3}});
  Trainee trainee(model, objective, rule, shape_of(batch.host()));
  for (Step k = 0; k < 3; ++k) trainee.step(k, {batch, batch}, 1e-2, 1);
  const double after = evaluate(trainee.session, model, objective, batch.host()).sum;
  Trainee fresh(model, objective, rule, shape_of(batch.host()));
  CHECK(evaluate(fresh.session, model, objective, batch.host()).sum == after);
}

TEST_CASE("dora: a row of zeros stays one, and nothing is divided by zero") {
  LayerBench<double> bench;
  auto layer = made(bench, {.rank = 2}, {4, 3});
  auto* w = static_cast<double*>(const_cast<void*>(layer.base.frozen.weight.data));
  std::fill_n(w + 4, 4, 0.0);
  layer.magnitude->value.data[1] = 0;
  const auto y = bench.output(layer, 2, 4, 3);
  CHECK(y[1] == 0);
  CHECK(y[4] == 0);
  for (const double v : y) CHECK(std::isfinite(v));
}

TEST_CASE("dora: what is trained is LoRA's and a magnitude, which is a vector") {
  LayerBench<float> bench;
  auto layer = made(bench, {.rank = 2, .bias = Bias::all}, {4, 4, true});
  CHECK(names_of(layer) == std::vector<std::string>{q_proj + ".bias", q_proj + ".lora_A.weight",
                                                    q_proj + ".lora_B.weight", q_proj + ".lora_magnitude_vector"});
  CHECK_FALSE(layer.magnitude->is_matrix());
  auto other = Dora<>{{.targets = {"v_proj"}}}.linear(bench.build, q_proj, {4, 4});
  CHECK(names_of(other).empty());
}

TEST_CASE("dora: at the start the model's loss is its base's, but for the place where a sum meets the stream") {
  for (const std::string& family : golden_families()) {
    CAPTURE(family);
    const PackedRows rows = GoldenBatch(family).packed(0, 3);
    auto base = open_decoder<Cpu<double>>(golden_models / family, Frozen{});
    auto model = open_decoder<Cpu<double>>(golden_models / family, Dora<>{{.rank = 3}});
    const auto expected = logits_of(base, rows), found = logits_of(model, rows);
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(std::abs(found[i] - expected[i]) < 1e-12);
    // With every projection that writes to a buffer of its own, the bits are the base's.
    auto own = open_decoder<Cpu<double>>(golden_models / family,
                                         Dora<>{{.rank = 3, .targets = {"q_proj", "k_proj", "v_proj", "up_proj"}}});
    CHECK(logits_of(own, rows) == expected);
  }
}

TEST_CASE(
    "dora: a model planned with it needs the bytes that it takes, and one micro-batch or four give the same bits") {
  const GoldenBatch golden("llama3");
  const CausalLm objective;
  const AdamW rule;
  const auto trained = [&](std::size_t together) {
    auto model = open_decoder<Cpu<float>>(golden_models / "llama3", Dora<>{{.rank = 3, .dropout = 0.1}});
    Trainee trainee(model, objective, rule, shape_of(golden.packed(0, 4).host()));
    for (Step k = 0; k < 3; ++k) {
      std::vector<PackedRows> batches;
      for (std::size_t r = 0; r < 4; r += together) batches.push_back(golden.packed(r, r + together));
      trainee.step(k, batches, 1e-2, 1);
    }
    CHECK(trainee.session.allocated_bytes() == trainee.plan.peak_bytes());
    if (together == 4) CHECK(trainee.session.context().arena().peak() == trainee.plan.arena_bytes());
    std::vector<float> all;
    model.visit([&](auto& p) { all.insert(all.end(), p.value.data, p.value.data + p.size()); });
    return all;
  };
  const auto four = trained(4);
  CHECK(trained(1) == four);
  CHECK(trained(2) == four);
}

}  // namespace dora_test
