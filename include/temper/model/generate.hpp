// SPDX-License-Identifier: MIT
// Text from a model: the prompt is read at once, then one token after the other with a cache of keys and values. A
// token's logits have the bits that training would compute for that position.
#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "temper/core/plan.hpp"
#include "temper/model/decoder.hpp"

namespace temper {

struct Sampling {
  Index max_new_tokens = 128;
  double temperature = 0;  // 0: always the likeliest token
  double top_p = 1;        // sample from the smallest set of tokens that holds this probability
  std::uint64_t seed = 42;
  std::vector<TokenId> stop = {};  // ends the text; not part of what is returned
};

// Picks a token: the likeliest (the lowest id among equals), or by inverse transform over the likeliest ones.
template <class Real>
TokenId pick_token(std::span<const Real> logits, const Sampling& sampling, std::uint64_t position,
                   std::vector<std::pair<double, TokenId>>& candidates) {
  const auto best = std::max_element(logits.begin(), logits.end());
  if (sampling.temperature <= 0) return static_cast<TokenId>(best - logits.begin());
  candidates.clear();
  double total = 0;
  for (std::size_t v = 0; v < logits.size(); ++v) {
    const double p = std::exp((static_cast<double>(logits[v]) - static_cast<double>(*best)) / sampling.temperature);
    candidates.emplace_back(p, static_cast<TokenId>(v));
    total += p;
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  double held = 0;
  std::size_t count = 0;
  while (count < candidates.size() && (count == 0 || held < sampling.top_p * total)) held += candidates[count++].first;
  double left = Random{sampling.seed, random_site("sample"), 0}.uniform(position) * held;
  for (std::size_t i = 0; i < count; ++i)
    if ((left -= candidates[i].first) < 0) return candidates[i].second;
  return candidates[count - 1].second;
}

// Generates from one model with prompts and texts of up to 'capacity' tokens together.
template <class M>
class Generator {
  using B = typename M::Backend;
  using Act = typename B::Activation;

 public:
  Generator(M& model, Index capacity, int threads = 0)
      : model_(model), capacity_(capacity), stream_(threads), memory_(Execution::running) {
    const Config& config = model.config();
    const Index places = capacity + prefix_of(model);
    const auto need = [&] {  // the largest batch is a prompt that fills the cache
      Arena arena = Arena::imaginary();
      Context<B> ctx(stream_, arena, 0, Execution::planning);
      ctx.set_mode(Mode::evaluating);
      cache_.keys.assign(static_cast<std::size_t>(config.layers), {nullptr, {places, config.kv_width()}});
      cache_.values = cache_.keys;
      tokens_.assign(static_cast<std::size_t>(capacity), 0);
      next_logits(ctx, tokens_, 0);
      return arena.peak();
    }();
    for (auto* side : {&cache_.keys, &cache_.values})
      for (auto& matrix : *side)
        matrix = memory_.template allocate<Act, 2>(Holder::kept_activations, {places, config.kv_width()});
    block_ = memory_.template allocate<std::byte, 1>(Holder::scratch, {static_cast<Index>(need)});
    logits_.resize(static_cast<std::size_t>(config.vocabulary));
    tokens_.clear();
  }

  // The new tokens; each is given to 'on_token' as it comes.
  std::vector<TokenId> operator()(std::span<const TokenId> prompt, const Sampling& sampling,
                                  const std::function<void(TokenId)>& on_token = {}) {
    require(!prompt.empty(), Fault::usage, "generate.empty", "the prompt has no tokens; expected at least one");
    require(std::ssize(prompt) + sampling.max_new_tokens <= capacity_, Fault::usage, "generate.capacity",
            "a prompt of {} tokens and {} new ones do not fit into {}; expected them to; shorten the prompt",
            prompt.size(), sampling.max_new_tokens, capacity_);
    Arena arena(block_.data, block_.bytes());
    Context<B> ctx(stream_, arena, 0, Execution::running);
    ctx.set_mode(Mode::evaluating);
    tokens_.assign(prompt.begin(), prompt.end());
    std::vector<TokenId> generated;
    Index past = 0;
    while (std::ssize(generated) < sampling.max_new_tokens) {
      next_logits(ctx, tokens_, past);
      past += std::ssize(tokens_) + (past == 0 ? prefix_of(model_) : 0);
      const TokenId token =
          pick_token<Act>(logits_, sampling, static_cast<std::uint64_t>(generated.size()), candidates_);
      if (std::find(sampling.stop.begin(), sampling.stop.end(), token) != sampling.stop.end()) break;
      generated.push_back(token);
      if (on_token) on_token(token);
      tokens_.assign(1, token);
    }
    return generated;
  }

  // Reads a text: on_logits is given those that follow each of its tokens.
  void follow(std::span<const TokenId> text, const std::function<void(std::span<const Act>)>& on_logits) {
    require(std::ssize(text) <= capacity_, Fault::usage, "generate.capacity",
            "a text of {} tokens does not fit into {}; expected it to; shorten it", text.size(), capacity_);
    Arena arena(block_.data, block_.bytes());
    Context<B> ctx(stream_, arena, 0, Execution::running);
    ctx.set_mode(Mode::evaluating);
    Index past = 0;
    for (const TokenId& token : text) {
      next_logits(ctx, {&token, 1}, past);
      past += 1 + (past == 0 ? prefix_of(model_) : 0);
      on_logits(logits_);
    }
  }

 private:
  // Logits of the token after the last of 'tokens', which follow 'past' others of the same text.
  void next_logits(Context<B>& ctx, std::span<const TokenId> tokens, Index past) {
    const auto scope = ctx.scope();
    const auto keeping = ctx.keeping();
    ctx.set_position({.first_token = past});
    const std::array<Index, 2> starts = {0, std::ssize(tokens)};
    TokenBatch<B> batch = upload_batch_of(ctx, staging_, model_, HostBatch{tokens, {}, {}, starts}, past);
    batch.cache = &cache_;
    const auto hidden = scratch<Act>(ctx, batch.size(), model_.config().width);
    model_.forward(ctx, batch, hidden, model_.saved());
    const auto logits = scratch<Act>(ctx, Index{1}, model_.config().vocabulary);
    matmul(ctx, into(logits), In<B>(hidden.slice(hidden.rows() - 1, hidden.rows())), model_.head().weight);
    ctx.run("download", {.bytes = 2.0 * static_cast<double>(logits.bytes())},
            [&] { B::download(ctx.stream(), logits_.data(), logits.data, logits.bytes()); });
  }

  M& model_;
  Index capacity_;
  typename B::Stream stream_;
  Memory<B> memory_;
  KeyValueCache<B> cache_;
  View<B, std::byte, 1> block_;
  BatchStaging<B> staging_;
  std::vector<TokenId> tokens_;
  std::vector<Act> logits_;
  std::vector<std::pair<double, TokenId>> candidates_;
};

}  // namespace temper
