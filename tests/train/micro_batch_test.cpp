// SPDX-License-Identifier: MIT
#include "temper/train/micro_batch.hpp"

#include "support/golden_model.hpp"

namespace micro_batch_test {

using namespace temper_test;

using B = Cpu<float>;

struct Bench {
  std::vector<std::byte> memory = std::vector<std::byte>(1 << 22);
  Threads stream{1};
  Arena arena{memory.data(), memory.size()};
  Context<B> ctx{stream, arena, 1, Execution::running};
  BatchStaging<B> staging;
  Decoder<B, Lora<>> model =
      open_decoder<B>(golden_models / "llama2", Lora<>{.rank = 2, .modules_to_save = {"lm_head"}});

  std::vector<float> gradients() {
    std::vector<float> all;
    model.visit([&](auto& p) { all.insert(all.end(), p.gradient.data, p.gradient.data + p.size()); });
    return all;
  }
  void clear() {
    model.visit([](auto& p) { std::fill_n(p.gradient.data, p.size(), 0.0f); });
  }
  Loss run(const PackedRows& rows, Mode mode, double denominator = 10) {
    ctx.set_mode(mode);
    return run_micro_batch(ctx, staging, model, CausalLm{}, rows.host(), denominator);
  }
};

TEST_CASE("micro-batch: gradients are added to in training and let be in evaluation; the loss is the same") {
  Bench bench;
  const PackedRows rows = GoldenBatch("llama2").packed(0, 2);
  bench.clear();
  const Loss trained = bench.run(rows, Mode::training);
  const auto once = bench.gradients();
  CHECK(*std::max_element(once.begin(), once.end()) > 0);
  const Loss evaluated = bench.run(rows, Mode::evaluating);
  CHECK(bench.gradients() == once);
  CHECK(evaluated.sum == trained.sum);
  CHECK(evaluated.count == static_cast<double>(rows.count()));
  bench.run(rows, Mode::training);
  const auto twice = bench.gradients();
  for (std::size_t i = 0; i < once.size(); ++i) REQUIRE(twice[i] == doctest::Approx(2 * once[i]).epsilon(1e-4));
}

TEST_CASE("micro-batch: all of the step's memory is given back") {
  Bench bench;
  bench.clear();
  bench.run(GoldenBatch("llama2").packed(0, 3), Mode::training);
  CHECK(bench.arena.kept() == 0);
  CHECK(bench.arena.scratched() == 0);
}

TEST_CASE("micro-batch: one in which nothing is supervised has no loss and no gradient") {
  Bench bench;
  bench.clear();
  PackedRows rows = GoldenBatch("llama2").packed(0, 2);
  std::fill(rows.supervised.begin(), rows.supervised.end(), std::uint8_t{0});
  const Loss loss = bench.run(rows, Mode::training);
  CHECK(loss.sum == 0);
  CHECK(loss.count == 0);
  for (const float g : bench.gradients()) REQUIRE(g == 0);
}

TEST_CASE("micro-batch: a batch made for a plan has the shape that was asked for") {
  for (const BatchShape shape : {BatchShape{.tokens = 10, .documents = 1, .supervised = 9, .longest = 10},
                                 BatchShape{.tokens = 10, .documents = 3, .supervised = 0, .longest = 4},
                                 BatchShape{.tokens = 10, .documents = 10, .supervised = 10, .longest = 1},
                                 BatchShape{.tokens = 12, .documents = 3, .supervised = 5, .longest = 10},
                                 BatchShape{.tokens = 7, .documents = 2, .supervised = 7, .longest = 4}}) {
    CAPTURE(shape.documents);
    const ShapedBatch batch(shape);
    CHECK(shape_of(batch.host()) == shape);
    for (const Index start : batch.host().document_starts) CHECK(start <= shape.tokens);
  }
}

}  // namespace micro_batch_test
