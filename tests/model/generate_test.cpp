// SPDX-License-Identifier: MIT
#include "temper/model/generate.hpp"

#include "support/golden_model.hpp"

namespace generate_test {

using namespace temper_test;

using B = Cpu<float>;
using Model = Decoder<B, Lora<>>;

Model opened(const std::string& family) {
  const auto adapter = golden_models / family / "adapter";
  Model model = open_decoder<B>(golden_models / family, read_peft_config(adapter));
  load_peft(model, adapter);
  return model;
}

PackedRows row_of(const std::vector<TokenId>& tokens) {
  PackedRows rows;
  rows.add(tokens, std::vector<int>(tokens.size(), 1));
  return rows;
}

// The likeliest token after each prefix, by the whole forward pass, from nothing.
std::vector<TokenId> greedy_anew(Model& model, std::vector<TokenId> text, Index count) {
  std::vector<TokenId> made;
  const auto vocabulary = static_cast<std::ptrdiff_t>(model.config().vocabulary);
  for (Index i = 0; i < count; ++i) {
    const auto logits = logits_of(model, row_of(text));
    made.push_back(
        static_cast<TokenId>(std::max_element(logits.end() - vocabulary, logits.end()) - (logits.end() - vocabulary)));
    text.push_back(made.back());
  }
  return made;
}

// Logits at each position when 'text' is read in pieces of 'piece' tokens through a cache.
std::vector<float> logits_in_pieces(Model& model, const std::vector<TokenId>& text, std::size_t piece) {
  const Config& config = model.config();
  Memory<B> memory(Execution::running);
  KeyValueCache<B> cache;
  const Index capacity = std::ssize(text);
  for (Index l = 0; l < config.layers; ++l) {
    cache.keys.push_back(memory.allocate<float, 2>(Holder::scratch, {capacity, config.kv_width()}));
    cache.values.push_back(memory.allocate<float, 2>(Holder::scratch, {capacity, config.kv_width()}));
  }
  std::vector<std::byte> block(std::size_t{1} << 22);
  Arena arena(block.data(), block.size());
  Threads stream(1);
  Context<B> ctx(stream, arena, 0, Execution::running);
  ctx.set_mode(Mode::evaluating);
  BatchStaging<B> staging;
  std::vector<float> all;
  for (std::size_t past = 0; past < text.size(); past += piece) {
    const auto scope = ctx.scope();
    const auto keeping = ctx.keeping();
    const std::span<const TokenId> tokens = std::span(text).subspan(past, std::min(piece, text.size() - past));
    const std::array<Index, 2> starts = {0, std::ssize(tokens)};
    auto batch = upload_batch(ctx, staging, config, HostBatch{tokens, {}, {}, starts}, static_cast<Index>(past));
    batch.cache = &cache;
    const auto hidden = scratch<float>(ctx, batch.size(), config.width),
               logits = scratch<float>(ctx, batch.size(), config.vocabulary);
    model.forward(ctx, batch, hidden, model.saved());
    matmul(ctx, into(logits), In<B>(hidden), model.head().weight);
    all.insert(all.end(), logits.data, logits.data + logits.size());
  }
  return all;
}

std::string code_of(auto&& call) {
  try {
    call();
  } catch (const Error& error) { return error.code(); }
  return "none";
}

TokenId pick(const std::vector<float>& logits, const Sampling& sampling, std::uint64_t position = 0) {
  std::vector<std::pair<double, TokenId>> candidates;
  return pick_token<float>(logits, sampling, position, candidates);
}

TEST_CASE("generate: greedy text with a cache is what the whole forward pass says, for every family") {
  for (const std::string& family : golden_families()) {
    CAPTURE(family);
    Model model = opened(family);
    auto prompt = GoldenBatch(family).rows[1].tokens;
    // Beyond the trained length, keys that are cached keep the angles that they had, as in transformers.
    const Index count = family == "llama_dynamic" ? model.config().rope.original_positions - std::ssize(prompt) : 20;
    Generator generate(model, 40, 1);
    CHECK(generate(prompt, {.max_new_tokens = count}) == greedy_anew(model, prompt, count));
  }
}

TEST_CASE("generate: logits through a cache have the bits of the whole forward pass, for every family") {
  for (const std::string& family : golden_families()) {
    CAPTURE(family);
    Model model = opened(family);
    auto text = GoldenBatch(family).rows[0].tokens;
    if (family == "llama_dynamic") text.resize(static_cast<std::size_t>(model.config().rope.original_positions));
    const auto whole = logits_of(model, row_of(text));
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{7}, text.size()}) {
      CAPTURE(piece);
      CHECK(logits_in_pieces(model, text, piece) == whole);
    }
  }
}

TEST_CASE("generate: a text that is followed has the logits of the whole forward pass after each token") {
  Model model = opened("llama3");
  const std::vector<TokenId> text = {3, 1, 4, 1, 5, 9, 2, 6};
  std::vector<float> all;
  Generator<Model> generator(model, 8, 1);
  generator.follow(text, [&](std::span<const float> logits) { all.insert(all.end(), logits.begin(), logits.end()); });
  CHECK(all == logits_of(model, row_of(text)));
  CHECK_THROWS_AS(Generator<Model>(model, 4, 1).follow(text, [](std::span<const float>) {}), Error);
}

TEST_CASE("generate: dynamic scaling goes on beyond the trained length") {
  Model model = opened("llama_dynamic");
  Generator generate(model, 60, 1);
  const auto prompt = GoldenBatch("llama_dynamic").rows[1].tokens;
  CHECK(generate(prompt, {.max_new_tokens = 40}).size() == 40);
  for (const float logit : logits_in_pieces(model, GoldenBatch("llama_dynamic").rows[0].tokens, 1))
    REQUIRE(std::isfinite(logit));
}

TEST_CASE("generate: a generator is used again and again, and tells tokens as they come") {
  Model model = opened("qwen2");
  Generator generate(model, 40, 2);
  const auto prompt = GoldenBatch("qwen2").rows[1].tokens;
  const auto first = generate(prompt, {.max_new_tokens = 10});
  generate(GoldenBatch("qwen2").rows[2].tokens, {.max_new_tokens = 5});
  std::vector<TokenId> told;
  CHECK(generate(prompt, {.max_new_tokens = 10}, [&](TokenId token) { told.push_back(token); }) == first);
  CHECK(told == first);
}

TEST_CASE("generate: a stop token ends the text and is not part of it") {
  Model model = opened("llama3");
  Generator generate(model, 40, 1);
  const auto prompt = GoldenBatch("llama3").rows[1].tokens;
  const auto free = generate(prompt, {.max_new_tokens = 20});
  const TokenId stop = free[4];
  const auto at = std::find(free.begin(), free.end(), stop);
  CHECK(generate(prompt, {.max_new_tokens = 20, .stop = {63, stop}}) == std::vector<TokenId>(free.begin(), at));
  CHECK(generate(prompt, {.max_new_tokens = 20, .stop = {free[0]}}).empty());
}

TEST_CASE("generate: sampling repeats with its seed and changes with another") {
  Model model = opened("llama3");
  Generator generate(model, 60, 1);
  const auto prompt = GoldenBatch("llama3").rows[1].tokens;
  const auto with = [&](std::uint64_t seed, double temperature) {
    return generate(prompt, {.max_new_tokens = 40, .temperature = temperature, .seed = seed});
  };
  CHECK(with(1, 1) == with(1, 1));
  CHECK(with(1, 1) != with(2, 1));
  CHECK(with(1, 1e-6) == with(2, 0));
}

TEST_CASE("generate: what does not fit is refused before anything is computed") {
  Model model = opened("llama2");
  Generator generate(model, 16, 1);
  const std::vector<TokenId> prompt(10, 1);
  CHECK(code_of([&] { generate(prompt, {.max_new_tokens = 7}); }) == "generate.capacity");
  CHECK(code_of([&] { generate(prompt, {.max_new_tokens = 6}); }) == "none");
  CHECK(code_of([&] { generate({}, {.max_new_tokens = 1}); }) == "generate.empty");
  CHECK(generate(prompt, {.max_new_tokens = 0}).empty());
  const std::vector<TokenId> unknown = {1, 64};
  CHECK(code_of([&] { generate(unknown, {.max_new_tokens = 1}); }) == "batch.token");
}

TEST_CASE("generate: the likeliest token is picked, and the lowest id among equals") {
  CHECK(pick({1, 3, 2}, {}) == 1);
  CHECK(pick({1, 3, 3}, {}) == 1);
  CHECK(pick({-1e30f, -1e30f}, {}) == 0);
}

TEST_CASE("generate: tokens are drawn as often as their probabilities say") {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.2f), std::log(0.3f)};
  const auto shares = [&](Sampling sampling) {
    std::vector<double> share(3, 0);
    for (std::uint64_t n = 0; n < 4000; ++n) share[static_cast<std::size_t>(pick(logits, sampling, n))] += 1.0 / 4000;
    return share;
  };
  const auto plain = shares({.temperature = 1});
  CHECK(plain[0] == doctest::Approx(0.5).epsilon(0.06));
  CHECK(plain[1] == doctest::Approx(0.2).epsilon(0.1));
  CHECK(plain[2] == doctest::Approx(0.3).epsilon(0.1));
  const auto cold = shares({.temperature = 0.5});  // probabilities squared: 25, 4 and 9 parts of 38
  CHECK(cold[0] == doctest::Approx(25.0 / 38).epsilon(0.06));
  CHECK(cold[1] == doctest::Approx(4.0 / 38).epsilon(0.15));
  const auto nucleus = shares({.temperature = 1, .top_p = 0.75});
  CHECK(nucleus[1] == 0);
  CHECK(nucleus[0] == doctest::Approx(5.0 / 8).epsilon(0.06));
  CHECK(shares({.temperature = 1, .top_p = 0.4})[0] == doctest::Approx(1));
  CHECK(shares({.temperature = 1, .top_p = 0})[0] == doctest::Approx(1));
}

}  // namespace generate_test
