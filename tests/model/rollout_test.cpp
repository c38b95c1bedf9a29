// SPDX-License-Identifier: MIT
#include "temper/model/rollout.hpp"

#include "support/golden_model.hpp"

namespace rollout_test {

using namespace temper_test;

using B = Cpu<float>;
using Answers = std::vector<Response<B>>;

// Four prompts of different lengths.
struct Prompts {
  std::vector<std::vector<TokenId>> rows;
  explicit Prompts(const std::string& family) {
    const GoldenBatch batch(family);
    for (std::size_t i = 0; i < 4; ++i) {
      rows.push_back(batch.rows[i].tokens);
      rows.back().resize(std::min<std::size_t>(rows.back().size(), 3 + 4 * i));
    }
  }
  std::vector<RolloutPrompt> list() const {
    std::vector<RolloutPrompt> all;
    for (std::size_t i = 0; i < rows.size(); ++i) all.push_back({rows[i], static_cast<std::uint32_t>(i)});
    return all;
  }
};

bool same(const Response<B>& a, const Response<B>& b) {
  const auto equal = [](const std::vector<float>& x, const std::vector<float>& y) {
    return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0;
  };
  return a.tokens == b.tokens && a.stopped == b.stopped && equal(a.logp, b.logp) && equal(a.entropy, b.entropy);
}
bool same(const Answers& a, const Answers& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) { return same(x, y); });
}

constexpr RolloutShape small{.sequences = 4, .places = 32, .tokens_at_once = 64};
const RolloutSettings settings{.max_new_tokens = 12, .temperature = 0.7, .seed = 3, .step = 5};

template <class M>
Answers answered(M& model, const Prompts& prompts, RolloutShape shape = small, RolloutSettings with = settings,
                 int threads = 1) {
  Threads stream(threads);
  Rollouts rollouts(model, stream, shape);
  return rollouts(prompts.list(), with);
}

// The policy's log-probabilities of all answers by one training pass over prompts and answers, packed.
template <class M>
std::vector<float> trained_logp(M& model, const Prompts& prompts, const Answers& answers, double temperature,
                                int threads) {
  PackedRows rows;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    std::vector<TokenId> tokens = prompts.rows[i];
    std::vector<int> labels(tokens.size(), 0);
    tokens.insert(tokens.end(), answers[i].tokens.begin(), answers[i].tokens.end());
    labels.resize(tokens.size(), 1);
    rows.add(tokens, labels);
  }
  std::vector<std::byte> block(std::size_t{1} << 25);
  Arena arena(block.data(), block.size());
  Threads stream(threads);
  Context<B> ctx(stream, arena, 1, Execution::running);
  ctx.set_mode(Mode::training);
  BatchStaging<B> staging;
  const auto batch = upload_batch_of(ctx, staging, model, rows.host());
  const auto hidden = scratch<float>(ctx, batch.size(), model.config().width);
  model.forward(ctx, batch, hidden, model.saved());
  const auto supervised = scratch<float>(ctx, batch.supervised(), model.config().width);
  gather_rows(ctx, supervised, In<B>(hidden), batch.rows);
  const auto logp = scratch<float>(ctx, batch.supervised()), lse = scratch<float>(ctx, batch.supervised());
  log_probs(ctx, logp, lse, In<B>(supervised), model.head().weight, batch.targets, static_cast<float>(1 / temperature));
  return {logp.data, logp.data + logp.size()};
}

template <class M>
void check_ratio_one(M model, const std::string& family) {
  CAPTURE(family);
  const Prompts prompts(family);
  RolloutSettings with = settings;
  if (family == "llama_dynamic") with.max_new_tokens = model.config().rope.original_positions - 15;
  const Answers answers = answered(model, prompts, small, with);
  std::vector<float> rolled;
  for (const auto& answer : answers) {
    CHECK(std::ssize(answer.tokens) == with.max_new_tokens);
    rolled.insert(rolled.end(), answer.logp.begin(), answer.logp.end());
  }
  for (const int threads : {1, 2}) {
    const auto trained = trained_logp(model, prompts, answers, with.temperature, threads);
    REQUIRE(trained.size() == rolled.size());
    CHECK(std::memcmp(trained.data(), rolled.data(), rolled.size() * sizeof(float)) == 0);
    for (std::size_t t = 0; t < rolled.size(); ++t) CHECK(std::exp(double{trained[t]} - double{rolled[t]}) == 1);
  }
}

Decoder<B, Lora<>> lora(const std::string& family) {
  const auto folder = golden_models / family / "adapter";
  auto model = open_decoder<B>(golden_models / family, read_peft_config(folder));
  load_peft(model, folder);
  return model;
}

TEST_CASE("rollout: log-probabilities have the bits of a training pass, so that the ratio is exactly 1: LoRA") {
  for (const std::string& family : golden_families()) check_ratio_one(lora(family), family);
}

TEST_CASE("rollout: the ratio is exactly 1: the whole model, DoRA, prompt tuning") {
  for (const std::string& family : golden_families())
    check_ratio_one(open_decoder<B>(golden_models / family, Full{}), family);
  {
    const auto folder = golden_models / "llama3/adapter_dora";
    auto model = open_decoder<B>(golden_models / "llama3", read_peft_dora(folder));
    load_peft(model, folder);
    check_ratio_one(std::move(model), "llama3");
  }
  auto model = open_decoder<B>(golden_models / "llama3", read_peft_prompt(golden_models / "llama3/adapter_prompt"));
  load_peft(model, golden_models / "llama3/adapter_prompt");
  check_ratio_one(std::move(model), "llama3");
}

TEST_CASE("rollout: an answer depends neither on what is answered beside it, nor on threads") {
  for (const std::string family : {"llama3", "qwen3", "mistral"}) {
    auto model = lora(family);
    const Prompts prompts(family);
    const Answers all = answered(model, prompts);
    CHECK(same(all, answered(model, prompts, small, settings, 2)));
    for (const Index sequences : {1, 2, 3})
      CHECK(same(all, answered(model, prompts, {.sequences = sequences, .places = 32, .tokens_at_once = 1})));
    Threads stream(1);
    Rollouts rollouts(model, stream, small);
    const std::vector<RolloutPrompt> alone = {{prompts.rows[2], 2}};
    CHECK(same(all[2], rollouts(alone, settings)[0]));
    CHECK(same(all, rollouts(prompts.list(), settings)));  // used again
  }
}

TEST_CASE("rollout: answers to one prompt share its reading, and have the bits of reading it for each") {
  const auto check = [](auto model, const std::string& family) {
    CAPTURE(family);
    const Prompts prompts(family);
    const std::vector<TokenId> single = {prompts.rows[1][0]};
    const std::array<const std::vector<TokenId>*, 9> order = {&prompts.rows[3], &prompts.rows[3], &prompts.rows[2],
                                                              &prompts.rows[3], &single,          &prompts.rows[2],
                                                              &single,          &prompts.rows[3], &prompts.rows[2]};
    std::vector<RolloutPrompt> list;
    Index once = 0;
    Answers apart;
    for (std::uint32_t i = 0; i < order.size(); ++i) {
      list.push_back({*order[i], i});
      Threads stream(1);
      Rollouts alone(model, stream, small);
      apart.push_back(alone(std::span(list).last(1), settings)[0]);
      CHECK(alone.tokens_read() == prefix_of(model) + std::ssize(*order[i]) + settings.max_new_tokens - 1);
    }
    for (const auto* prompt : {&prompts.rows[3], &prompts.rows[2], &single})
      once += prefix_of(model) + std::ssize(*prompt) - 1;
    for (const Index sequences : {1, 2, 4, 9}) {
      CAPTURE(sequences);
      Threads stream(1);
      Rollouts rollouts(model, stream, {.sequences = sequences, .places = 32, .tokens_at_once = 16});
      CHECK(same(apart, rollouts(list, settings)));
      // Each prompt once, but its last token for every answer; with few places some are read again.
      if (sequences == 9) CHECK(rollouts.tokens_read() == once + 9 * settings.max_new_tokens);
      if (sequences == 1) CHECK(rollouts.tokens_read() > once + 9 * settings.max_new_tokens);
    }
  };
  check(lora("mistral"), "mistral");
  const auto folder = golden_models / "llama3/adapter_prompt";
  auto model = open_decoder<B>(golden_models / "llama3", read_peft_prompt(folder));
  load_peft(model, folder);
  check(std::move(model), "llama3");
}

TEST_CASE("rollout: the seed, the step and the number of the sequence decide what is drawn") {
  auto model = lora("llama3");
  const Prompts prompts("llama3");
  const auto tokens = [&](RolloutSettings with) {
    with.temperature = 1.5, with.max_new_tokens = 15;
    return answered(model, prompts, small, with)[0].tokens;
  };
  CHECK(tokens({.seed = 1}) == tokens({.seed = 1}));
  CHECK(tokens({.seed = 1}) != tokens({.seed = 2}));
  CHECK(tokens({.seed = 1}) != tokens({.seed = 1, .step = 1}));
  Threads stream(1);
  Rollouts rollouts(model, stream, small);
  const std::vector<RolloutPrompt> twice = {{prompts.rows[0], 0}, {prompts.rows[0], 1}};
  const auto answers = rollouts(twice, {.max_new_tokens = 20, .temperature = 1.5});
  CHECK(answers[0].tokens != answers[1].tokens);
}

TEST_CASE("rollout: nearly without temperature the text is the generator's likeliest") {
  auto model = lora("qwen2");
  const Prompts prompts("qwen2");
  const Answers answers = answered(model, prompts, small, {.max_new_tokens = 12, .temperature = 1e-4});
  Generator generate(model, 40, 1);
  for (std::size_t i = 0; i < 4; ++i) CHECK(answers[i].tokens == generate(prompts.rows[i], {.max_new_tokens = 12}));
}

TEST_CASE("rollout: a stop token ends an answer and belongs to it; the others go on as before") {
  auto model = lora("llama3");
  const Prompts prompts("llama3");
  const Answers free = answered(model, prompts);
  RolloutSettings with = settings;
  with.stop = {free[1].tokens[4]};
  const Answers stopped = answered(model, prompts, small, with);
  bool some = false;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& all = free[i].tokens;
    const auto at = std::find(all.begin(), all.end(), with.stop[0]);
    CHECK(stopped[i].tokens == std::vector<TokenId>(all.begin(), at == all.end() ? at : at + 1));
    CHECK(stopped[i].stopped == (at != all.end()));
    CHECK(stopped[i].logp.size() == stopped[i].tokens.size());
    some = some || stopped[i].stopped;
  }
  CHECK(some);
}

TEST_CASE("rollout: what is planned is what is allocated, and planning needs no memory of its own") {
  auto model = lora("llama3");
  Threads stream(1);
  const Rollouts planned(model, stream, small, Execution::planning);
  const Rollouts made(model, stream, small);
  CHECK(planned.bytes() == made.bytes());
  CHECK(made.bytes()[static_cast<std::size_t>(Holder::kept_activations)] ==
        static_cast<std::size_t>(model.config().layers) * 2 *
            Arena::rounded(static_cast<std::size_t>(4 * 32 * model.config().kv_width()) * sizeof(float)));
}

TEST_CASE("rollout: the plan holds for prompts that fill the cache") {
  auto model = lora("llama3");
  const std::vector<TokenId> full(31, 1);
  std::vector<RolloutPrompt> prompts;
  for (std::uint32_t i = 0; i < 9; ++i) prompts.push_back({full, i});
  for (const Index at_once : {1, 31, 40, 4096}) {
    Threads stream(1);
    Rollouts rollouts(model, stream, {.sequences = 4, .places = 32, .tokens_at_once = at_once});
    CHECK(rollouts(prompts, {.max_new_tokens = 1}).size() == 9);
  }
}

std::string code_of(auto&& call) {
  try {
    call();
  } catch (const Error& error) { return error.code(); }
  return "none";
}

TEST_CASE("rollout: what does not fit is refused before anything is computed") {
  auto model = lora("llama3");
  Threads stream(1);
  Rollouts rollouts(model, stream, small);
  const std::vector<TokenId> ten(10, 1), unknown = {1, 100000};
  const auto code = [&](const std::vector<TokenId>& prompt, RolloutSettings with) {
    const std::vector<RolloutPrompt> prompts = {{prompt, 0}};
    return code_of([&] { rollouts(prompts, with); });
  };
  CHECK(code(ten, {.max_new_tokens = 22}) == "none");
  CHECK(code(ten, {.max_new_tokens = 23}) == "rollout.places");
  CHECK(code({}, {.max_new_tokens = 1}) == "rollout.empty");
  CHECK(code(unknown, {.max_new_tokens = 1}) == "rollout.token");
  CHECK(code(ten, {.max_new_tokens = 1, .temperature = 0}) == "rollout.settings");
  CHECK(code(ten, {.max_new_tokens = 0}) == "none");
  CHECK(code_of([&] { Rollouts(model, stream, {.sequences = 0, .places = 1}); }) == "rollout.shape");
  auto dynamic = lora("llama_dynamic");
  Rollouts longer(dynamic, stream, {.sequences = 1, .places = 200});
  const std::vector<RolloutPrompt> prompts = {{ten, 0}};
  CHECK(code_of([&] { longer(prompts, {.max_new_tokens = 150}); }) == "rollout.dynamic_rope");
}

TEST_CASE("rollout: a model that broke is told, with the step") {
  auto model = open_decoder<B>(golden_models / "llama3", Full{});
  model.visit([](auto& p) { p.value.data[0] = std::numeric_limits<float>::quiet_NaN(); });
  CHECK(code_of([&] { answered(model, Prompts("llama3")); }) == "numeric.not_finite");
}

}  // namespace rollout_test
