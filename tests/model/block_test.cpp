// SPDX-License-Identifier: MIT
#include "temper/model/block.hpp"

#include "support/layer_bench.hpp"
#include "support/small_config.hpp"
#include "temper/adapter/lora.hpp"

namespace block_test {

using namespace temper_test;

using B = Cpu<double>;

// A block on two documents, as a layer: it overwrites y, and its gradient is made in place.
struct Alone {
  using Saved = Block<B, Lora<>>::Saved;
  Block<B, Lora<>> block;
  TokenBatch<B> batch;
  void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& saved) { block.forward(ctx, x, y.view, batch, saved); }
  void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& saved) {
    copy(ctx, dx.view, dy);
    block.backward(ctx, dx.view, batch, saved);
  }
  void visit(auto&& each) { block.visit(each); }
};

struct Bench : LayerBench<double> {
  BatchStaging<B> staging;
  std::vector<TokenId> tokens = std::vector<TokenId>(6, 0);
  std::vector<Index> starts = {0, 4, 6};
  Alone made(const Lora<>& lora) {
    const Config config = small_config();
    return {temper::block(build, lora, "model.layers.1", config, 1),
            upload_batch(ctx, staging, config, HostBatch{tokens, {}, {}, starts})};
  }
};

TEST_CASE("block: gradients match central differences, with LoRA, dropout and trained norms") {
  Bench bench;
  Alone layer = bench.made({.rank = 2,
                            .alpha = 4,
                            .dropout = 0.3,
                            .modules_to_save = {"input_layernorm", "post_attention_layernorm", "up_proj"}});
  const GradientCheck check = check_layer(layer, 6, 8, 8);
  CAPTURE(check.where);
  CHECK(check.largest_error < 1e-6);
}

TEST_CASE("block: the stream that it reads stays as it is") {
  Bench bench;
  Alone layer = bench.made({.rank = 2});
  const auto x = bench.filled(6, 8, 1), y = bench.filled(6, 8, 2);
  Alone::Saved saved;
  layer.forward(bench.ctx, x, into(y), saved);
  CHECK(std::vector<double>(x.data, x.data + x.size()) == LayerBench<double>::numbers(48, 1));
}

TEST_CASE("block: it is the residual stream: with silent projections y is x") {
  Bench bench;
  Alone layer = bench.made({.rank = 2, .modules_to_save = {"o_proj", "down_proj"}});
  layer.visit([](auto& p) { std::fill_n(p.value.data, p.size(), 0.0); });
  CHECK(bench.output(layer, 6, 8, 8) == LayerBench<double>::numbers(48, 1));
}

TEST_CASE("block: with checks on, the part that made a value that is none is named") {
  Bench bench;
  Alone layer = bench.made({.rank = 2, .modules_to_save = {"o_proj", "down_proj"}});
  bench.ctx.set_checking(Context<B>::Checking::on);
  CHECK_NOTHROW(bench.output(layer, 6, 8, 8));
  for (const auto& [projection, part] : {std::pair("o_proj", "self_attn"), {"down_proj", "mlp"}}) {
    double before = 0;
    layer.visit([&, name = projection](auto& p) {
      if (p.name.find(name) == std::string::npos) return;
      before = p.value.data[0];
      p.value.data[0] = std::numeric_limits<double>::quiet_NaN();
    });
    const std::string expected = std::string("left model.layers.1.") + part;
    CHECK_THROWS_WITH_AS(bench.output(layer, 6, 8, 8), doctest::Contains(expected.c_str()), Error);
    layer.visit([&, name = projection](auto& p) {
      if (p.name.find(name) != std::string::npos) p.value.data[0] = before;
    });
  }
}

}  // namespace block_test
