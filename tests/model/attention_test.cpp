// SPDX-License-Identifier: MIT
#include "temper/model/attention.hpp"

#include "support/layer_bench.hpp"
#include "support/small_config.hpp"
#include "temper/adapter/full.hpp"

namespace attention_test {

using namespace temper_test;

constexpr Index width = 8;

// Self-attention on fixed documents, as a layer.
template <class Real>
struct Alone {
  using B = Cpu<Real>;
  using Saved = typename SelfAttention<B, Full>::Saved;
  SelfAttention<B, Full> attention;
  TokenBatch<B> batch;
  void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) { attention.forward(ctx, x, y, batch, saved); }
  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) { attention.backward(ctx, dy, dx, batch, saved); }
  void visit(auto&& each) { attention.visit(each); }
};

// A batch that begins at each of 'starts'; all tokens are the same, since attention does not see them.
template <class Real>
struct Bench : LayerBench<Real> {
  BatchStaging<Cpu<Real>> staging;
  std::vector<TokenId> tokens = std::vector<TokenId>(16, 0);
  Alone<Real> made(const Config& config, std::vector<Index> starts) {
    const HostBatch host{{tokens.data(), static_cast<std::size_t>(starts.back())}, {}, {}, starts};
    return {self_attention(this->build, Full{}, "model.layers.0.self_attn", config, 0),
            upload_batch(this->ctx, staging, config, host)};
  }
};

Config with(auto&& change) {
  Config config = small_config();
  change(config);
  return config;
}

TEST_CASE("attention layer: gradients match central differences in every family's form") {
  const Config forms[] = {small_config(), with([](Config& c) { c.query_bias = c.output_bias = true; }),
                          with([](Config& c) { c.query_norm = true; }), with([](Config& c) {
                            c.windows = {2, 2};
                          }),
                          with([](Config& c) { c.head_width = 6, c.kv_heads = 1; })};
  for (std::size_t f = 0; f < std::size(forms); ++f) {
    CAPTURE(f);
    Bench<double> bench;
    auto layer = bench.made(forms[f], {0, 4, 7});
    const GradientCheck check = check_layer(layer, 7, width, width);
    CAPTURE(check.where);
    CHECK(check.largest_error < 1e-6);
  }
}

TEST_CASE("attention layer: in float, a packed document has the bits that it has alone") {
  for (const bool norms : {false, true}) {
    Bench<float> bench;
    auto packed = bench.made(with([&](Config& c) { c.query_norm = norms; }), {0, 5, 9});
    const auto together = bench.output(packed, 9, width, width);
    BatchStaging<Cpu<float>> other;
    const std::vector<Index> starts = {0, 5};
    auto first = packed;
    first.batch = upload_batch(bench.ctx, other, small_config(), HostBatch{{bench.tokens.data(), 5}, {}, {}, starts});
    const auto alone = bench.output(first, 5, width, width);
    CHECK(std::equal(alone.begin(), alone.end(), together.begin()));
  }
}

TEST_CASE("attention layer: a token sees itself and what came before, as far back as the window") {
  for (const Index window : {0, 3}) {
    CAPTURE(window);
    Bench<double> bench;
    auto layer = bench.made(with([&](Config& c) { c.windows = {window, window}; }), {0, 8});
    const auto x = bench.filled(8, width, 1), y = bench.filled(8, width, 2);
    const auto run = [&] {
      const auto keeping = bench.ctx.keeping();
      Alone<double>::Saved saved;
      layer.forward(bench.ctx, x, into(y), saved);
      return std::vector<double>(y.data, y.data + y.size());
    };
    const auto before = run();
    x(2, 1) += 1;
    const auto after = run();
    for (std::size_t t = 0; t < 8; ++t) {
      const bool same = std::equal(before.begin() + static_cast<std::ptrdiff_t>(t * 8),
                                   before.begin() + static_cast<std::ptrdiff_t>(t * 8 + 8),
                                   after.begin() + static_cast<std::ptrdiff_t>(t * 8));
      CAPTURE(t);
      CHECK(same == (t < 2 || (window > 0 && t >= 2 + static_cast<std::size_t>(window))));
    }
  }
}

TEST_CASE("attention layer: parameters have the names of the files") {
  Bench<float> bench;
  auto layer = bench.made(with([](Config& c) { c.query_norm = c.query_bias = c.output_bias = true; }), {0, 1});
  std::vector<std::string> expected;
  for (const char* name : {"q_proj.weight", "q_proj.bias", "k_proj.weight", "k_proj.bias", "v_proj.weight",
                           "v_proj.bias", "o_proj.weight", "o_proj.bias", "q_norm.weight", "k_norm.weight"})
    expected.push_back(std::string("model.layers.0.self_attn.") + name);
  CHECK(names_of(layer) == expected);
}

}  // namespace attention_test
