// SPDX-License-Identifier: MIT
// What PEFT recorded of prompt tuning stands in tests/train/step_test.cpp and tests/model/decoder_test.cpp.
#include "temper/adapter/prompt.hpp"

#include "io/scratch.hpp"
#include "support/golden_model.hpp"

namespace prompt_test {

using namespace temper_test;
using temper::test::ScratchFolder;
using temper::test::thrown_by;

template <class Real = float>
auto opened(PromptTuning prompt, const std::string& family = "llama3", std::uint64_t seed = 1) {
  return open_decoder<Cpu<Real>>(golden_models / family, prompt, {.seed = seed});
}
template <class M>
auto states_of(M& model) {
  std::vector<typename M::Act> all;
  model.visit([&](auto& p) { all.assign(p.value.data, p.value.data + p.size()); });
  return all;
}
// Rows of the model's own table.
std::vector<float> embeddings(const std::vector<TokenId>& tokens, const std::string& family = "llama3") {
  const WeightFolder weights(golden_models / family);
  const auto table = widen(*weights.find("model.embed_tokens.weight"));
  const auto width = static_cast<std::size_t>(weights.find("model.embed_tokens.weight")->shape[1]);
  std::vector<float> all;
  for (const TokenId t : tokens)
    all.insert(all.end(), &table[static_cast<std::size_t>(t) * width],
               &table[static_cast<std::size_t>(t) * width] + width);
  return all;
}

// A batch that was brought over as if no model were asked.
void forward_without_prefix(auto& model, const PackedRows& rows) {
  using B = Cpu<float>;
  std::vector<std::byte> memory(std::size_t{1} << 22);
  Arena arena(memory.data(), memory.size());
  Threads stream(1);
  Context<B> ctx(stream, arena, 0, Execution::running);
  BatchStaging<B> staging;
  const auto batch = upload_batch(ctx, staging, model.config(), rows.host());
  model.forward(ctx, batch, scratch<float>(ctx, batch.size(), model.config().width), model.saved());
}

TEST_CASE("prompt: it trains its states alone, one tensor of PEFT's name") {
  auto model = opened({.virtual_tokens = 7});
  std::vector<std::string> names;
  model.visit([&](const auto& p) { names.push_back(p.name); });
  CHECK(names == std::vector<std::string>{"prompt_embeddings"});
  CHECK(trained_elements(model) == 7 * model.config().width);
  CHECK(model.prefix() == 7);
  CHECK(open_decoder<Cpu<float>>(golden_models / "llama3", Lora<>{}).prefix() == 0);
}

TEST_CASE("prompt: states begin as a text's embeddings, repeated or cut, or as rows drawn by the seed") {
  auto cut = opened({.virtual_tokens = 2, .initial_tokens = {5, 9, 3}});
  CHECK(states_of(cut) == embeddings({5, 9}));
  auto repeated = opened({.virtual_tokens = 5, .initial_tokens = {5, 9}});
  CHECK(states_of(repeated) == embeddings({5, 9, 5, 9, 5}));
  auto drawn = opened({.virtual_tokens = 4}), again = opened({.virtual_tokens = 4}),
       other = opened({.virtual_tokens = 4}, "llama3", 2);
  CHECK(states_of(drawn) == states_of(again));
  CHECK(states_of(drawn) != states_of(other));
  const auto width = drawn.config().width;
  const auto states = states_of(drawn);
  for (Index i = 0; i < 4; ++i) {
    bool found = false;
    for (TokenId t = 0; t < drawn.config().vocabulary && !found; ++t) {
      const auto row = embeddings({t});
      found = std::equal(row.begin(), row.end(), states.begin() + i * width);
    }
    CHECK(found);
  }
}

TEST_CASE("prompt: states equal to tokens' embeddings do what the tokens do, bit for bit, in every family") {
  for (const std::string& family : golden_families()) {
    CAPTURE(family);
    const std::vector<TokenId> front = {5, 9, 3};
    auto model = opened({.virtual_tokens = 3, .initial_tokens = front}, family);
    auto base = open_decoder<Cpu<float>>(golden_models / family, Frozen{});
    const GoldenBatch golden(family);
    const PackedRows packed = golden.packed(0, 3);  // three documents together
    std::vector<float> expected;
    for (std::size_t d = 0; d < 3; ++d) {
      PackedRows longer;
      std::vector<TokenId> tokens = front;
      tokens.insert(tokens.end(), golden.rows[d].tokens.begin(), golden.rows[d].tokens.end());
      longer.add(tokens, std::vector<int>(tokens.size(), 1));
      const auto logits = logits_of(base, longer);
      expected.insert(expected.end(), logits.begin() + 3 * base.config().vocabulary, logits.end());
    }
    CHECK(logits_of(model, packed) == expected);
  }
}

TEST_CASE("prompt: the gradient of the states matches central differences in double, packed documents apart") {
  for (const std::string family : {"llama3", "qwen3", "llama_dynamic"}) {
    CAPTURE(family);
    const PackedRows batch = GoldenBatch(family).packed(0, 3);
    auto model = opened<double>({.virtual_tokens = 3}, family);
    const CausalLm objective;
    const AdamW rule;
    Trainee trainee(model, objective, rule, shape_of(batch.host()));
    begin_step(trainee.session, model, 0, static_cast<double>(batch.count()));
    forward_backward(trainee.session, model, objective, batch.host());
    GradientCheck check;
    model.visit([&](auto& p) {
      const auto size = static_cast<std::size_t>(p.size());
      compare_gradient(
          check, p.name, {p.value.data, size}, {p.gradient.data, size},
          [&] { return evaluate(trainee.session, model, objective, batch.host()).mean(); }, 1e-4);
    });
    CHECK(check.largest_error < 1e-5);
  }
}

TEST_CASE("prompt: rows together or apart give the same bits, within the planned bytes") {
  const GoldenBatch golden("llama3");
  const auto trained = [&](std::size_t together) {
    auto model = opened({.virtual_tokens = 6});
    const CausalLm objective;
    const AdamW rule;
    Trainee trainee(model, objective, rule, shape_of(golden.packed(0, 4).host()));
    for (Step k = 0; k < 3; ++k) {
      std::vector<PackedRows> batches;
      for (std::size_t r = 0; r < 4; r += together) batches.push_back(golden.packed(r, r + together));
      trainee.step(k, batches, 1e-2, 1);
    }
    CHECK(trainee.session.allocated_bytes() == trainee.plan.peak_bytes());
    if (together == 4) CHECK(trainee.session.context().arena().peak() == trainee.plan.arena_bytes());
    return states_of(model);
  };
  const auto four = trained(4);
  CHECK(trained(1) == four);
  CHECK(trained(2) == four);
}

TEST_CASE("prompt: generation with a cache goes on as reading everything again would") {
  auto model = opened({.virtual_tokens = 6});
  std::vector<TokenId> text = {1, 5, 9};
  Generator generator(model, 3 + 8);
  const auto generated = generator(text, {.max_new_tokens = 8});
  REQUIRE(generated.size() == 8);
  for (const TokenId token : generated) {
    PackedRows rows;
    rows.add(text, std::vector<int>(text.size(), 1));
    const auto logits = logits_of(model, rows);
    const auto last = logits.end() - model.config().vocabulary;
    CHECK(token == static_cast<TokenId>(std::max_element(last, logits.end()) - last));
    text.push_back(token);
  }
}

TEST_CASE("prompt: states, tokens and batches that do not fit are refused") {
  CHECK(thrown_by([] { opened({.virtual_tokens = 0}); }).code == "prompt.virtual_tokens");
  CHECK(thrown_by([] { opened({.virtual_tokens = 2, .initial_tokens = {-1}}); }).code == "prompt.token");
  CHECK(thrown_by([] { opened({.virtual_tokens = 2, .initial_tokens = {1 << 20}}); }).code == "prompt.token");
  auto model = opened({.virtual_tokens = 2});
  const PackedRows rows = GoldenBatch("llama3").packed(0, 1);
  CHECK(thrown_by([&] { forward_without_prefix(model, rows); }).code == "decoder.prefix");
}

TEST_CASE("prompt: what is written for the largest models stays under a megabyte") {
  ScratchFolder folder;
  auto model = opened({});
  save_peft(model, "base", folder.path());
  const auto bytes = std::filesystem::file_size(folder / "adapter_model.safetensors");
  CHECK(bytes < 20 * 32 * 4 + 512);
  static_assert(20 * 8192 * 4 + 512 < 1'000'000);  // 70B: 20 states of width 8192
}

}  // namespace prompt_test
