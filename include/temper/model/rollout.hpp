// SPDX-License-Identifier: MIT
// Rollouts: answers of a policy to many prompts, for reinforcement learning. All unfinished sequences advance together,
// one token each a step; nothing is padded, for a sequence is a range of places in the cache and a query of the batch.
// The policy is softmax(z / temperature), as in TRL's PPO: tokens are drawn from it and their log p belong to it.
//
// The law of ratio 1: in float these log p have the bits of log_probs(.., 1 / temperature) in a training pass over
// prompt + answer with the same weights and no dropout; so the ratio at the first minibatch is exactly 1. An answer
// depends on the weights, the prompt and (seed, step, number) alone: not on what is answered beside it, nor on threads.
// So answers to one prompt, as a group has them, share its reading: the next copies the keys and values that the first
// left, and reads the prompt's last token alone.
#pragma once
#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "temper/core/plan.hpp"
#include "temper/model/decoder.hpp"

namespace temper {

struct RolloutShape {
  Index sequences = 1;          // that are answered at the same time; further prompts wait for a place
  Index places = 1;             // of the longest sequence: its prompt and its new tokens
  Index tokens_at_once = 4096;  // of prompts that are read together, unless a single one is longer
};

struct RolloutPrompt {
  std::span<const TokenId> tokens;
  std::uint32_t number = 0;  // which of the step's sequences this is: what it draws depends on it
};

struct RolloutSettings {
  Index max_new_tokens = 64;
  double temperature = 0.7;
  std::uint64_t seed = 42;
  Step step = 0;
  std::vector<TokenId> stop = {};  // ends an answer and belongs to it
};

template <class B>
struct Response {
  using Act = typename B::Activation;
  std::vector<TokenId> tokens;
  std::vector<Act> logp, entropy;  // of each token, when it was drawn
  bool stopped = false;            // by a token of 'stop', not by the number of tokens
};

// A number in [0, 1) with 53 bits, for one token of one sequence.
inline double rollout_number(const RolloutSettings& settings, std::uint32_t sequence, Index position) {
  const Random random{settings.seed, random_site("rollout"), static_cast<std::uint32_t>(settings.step)};
  const Random4 r = random.block((std::uint64_t{sequence} << 32) | static_cast<std::uint64_t>(position));
  return static_cast<double>((std::uint64_t{r[0]} << 21) | (r[1] >> 11)) * 0x1p-53;
}

template <class M>
class Rollouts {
  using B = typename M::Backend;
  using Act = typename B::Activation;

 public:
  // With Execution::planning only bytes() is of use.
  Rollouts(M& model, typename B::Stream& stream, RolloutShape shape, Execution execution = Execution::running)
      : model_(model), stream_(stream), shape_(shape), memory_(execution) {
    require(shape.sequences > 0 && shape.places > 0, Fault::usage, "rollout.shape",
            "rollouts of {} sequences of {} tokens; expected at least one of each", shape.sequences, shape.places);
    const auto need = planned_bytes();
    allocate_cache(memory_);
    block_ = memory_.template allocate<std::byte, 1>(Holder::scratch, {static_cast<Index>(need)});
  }

  const BytesByHolder& bytes() const { return memory_.bytes(); }  // the cache, and the scratch of a step

  // The answers, in the order of the prompts.
  std::vector<Response<B>> operator()(std::span<const RolloutPrompt> prompts, const RolloutSettings& settings) {
    check(prompts, settings);
    read_ = 0;
    std::vector<Response<B>> responses(prompts.size());
    if (settings.max_new_tokens == 0) return responses;
    Arena arena(block_.data, block_.bytes());
    Context<B> ctx(stream_, arena, settings.seed, Execution::running);
    ctx.set_mode(Mode::evaluating);
    Answering all{.prompts = prompts, .responses = responses};
    all.places.resize(static_cast<std::size_t>(shape_.sequences));
    for (Index i = shape_.sequences; i-- > 0;) all.free.push_back(i);
    while (all.next < prompts.size() || !all.running.empty()) {
      admit(ctx, all);
      auto& batch = all.fresh.empty() ? all.running : all.fresh;
      ctx.set_position({.step = settings.step, .first_token = read_});
      read_ += advance(ctx, batch, settings);
      settle(ctx, all);
      std::erase_if(all.running, [&](const Sequence& s) {
        const bool done = s.response->stopped || std::ssize(s.response->tokens) == settings.max_new_tokens;
        if (done) all.free.push_back(s.place);
        return done;
      });
    }
    return responses;
  }
  Index tokens_read() const { return read_; }  // by the model, for the last answers; a drawn token once it is read

 private:
  struct Sequence {
    const RolloutPrompt* prompt;
    Response<B>* response;
    Index place;        // which of the cache's stretches has its keys and values
    Index past = 0;     // how many of them there are
    Index leader = -1;  // the place that has its prompt's

    std::span<const TokenId> unread() const {
      if (!response->tokens.empty()) return std::span<const TokenId>(response->tokens).last(1);
      return past == 0 ? prompt->tokens : prompt->tokens.last(1);
    }
  };
  // What a stretch of the cache begins with, also after its answer has ended.
  struct Place {
    std::span<const TokenId> prompt = {};
    bool read = false;
  };
  struct Answering {
    std::span<const RolloutPrompt> prompts;
    std::span<Response<B>> responses;
    std::size_t next = 0;  // of the prompts
    std::vector<Place> places = {};
    std::vector<Index> free = {};
    std::vector<Sequence> running = {}, fresh = {}, following = {};  // the latter two wait for a prompt to be read
  };

  Index places_of_one() const { return shape_.places + prefix_of(model_); }

  // Further prompts take the free places; they are read first, so that as many as can be advance together. One that
  // the cache has already, or will have then, is copied.
  void admit(Context<B>& ctx, Answering& all) {
    all.fresh.clear(), all.following.clear();
    for (Index tokens = 0; all.next < all.prompts.size() && !all.free.empty(); ++all.next) {
      const RolloutPrompt& prompt = all.prompts[all.next];
      Sequence s{&prompt, &all.responses[all.next], all.free.back()};
      const auto leader = std::find_if(all.places.begin(), all.places.end(), [&](const Place& p) {
        return std::equal(p.prompt.begin(), p.prompt.end(), prompt.tokens.begin(), prompt.tokens.end());
      });
      const bool follows = leader != all.places.end(), now = follows && leader->read;
      if (!follows) {
        tokens += std::ssize(prompt.tokens);
        if (!all.fresh.empty() && tokens > shape_.tokens_at_once) return;
      } else {
        s.leader = leader - all.places.begin();
      }
      if (now) follow(ctx, s);
      (now ? all.running : follows ? all.following : all.fresh).push_back(s);
      all.places[static_cast<std::size_t>(s.place)] = {prompt.tokens, now};
      all.free.pop_back();
    }
  }
  void settle(Context<B>& ctx, Answering& all) {
    for (Sequence& s : all.following) follow(ctx, s);
    for (const auto* ready : {&all.fresh, &all.following})
      all.running.insert(all.running.end(), ready->begin(), ready->end());
    for (Place& place : all.places) place.read = true;
  }

  // The prompt's keys and values but for its last token's, which gives the state to draw from.
  void follow(Context<B>& ctx, Sequence& s) {
    s.past = prefix_of(model_) + std::ssize(s.prompt->tokens) - 1;
    if (s.past == 0 || s.leader == s.place) return;
    const Index from = s.leader * places_of_one(), to = s.place * places_of_one();
    for (auto* side : {&cache_.keys, &cache_.values})
      for (auto& layer : *side) copy(ctx, layer.slice(to, to + s.past), In<B>(layer.slice(from, from + s.past)));
  }

  void check(std::span<const RolloutPrompt> prompts, const RolloutSettings& settings) const {
    const Config& config = model_.config();
    require(settings.temperature > 0 && settings.max_new_tokens >= 0, Fault::usage, "rollout.settings",
            "rollouts of {} tokens at temperature {}; expected no negative number, and a temperature above 0",
            settings.max_new_tokens, settings.temperature);
    for (const RolloutPrompt& prompt : prompts) {
      const Index length = std::ssize(prompt.tokens) + settings.max_new_tokens;
      require(!prompt.tokens.empty(), Fault::data, "rollout.empty", "prompt {} has no tokens; expected at least one",
              prompt.number);
      require(length <= shape_.places, Fault::data, "rollout.places",
              "prompt {} has {} tokens and may get {} new ones; expected no more than {} together; shorten it",
              prompt.number, prompt.tokens.size(), settings.max_new_tokens, shape_.places);
      // Keys that are cached keep their angles, while a training pass would turn them by the final length.
      require(config.rope.kind != Rope::Kind::dynamic || length + prefix_of(model_) <= config.rope.original_positions,
              Fault::usage, "rollout.dynamic_rope",
              "prompt {} may grow to {} tokens, but this model rotates positions anew beyond {}; expected less, for "
              "the policy's probabilities to be those of training; use shorter prompts or fewer new tokens",
              prompt.number, length, config.rope.original_positions);
      for (const TokenId token : prompt.tokens)
        require(token >= 0 && token < config.vocabulary, Fault::data, "rollout.token",
                "prompt {} has token {}; expected ids of the model's own tokenizer, 0 to {}", prompt.number, token,
                config.vocabulary - 1);
    }
  }

  // Reads what is unread of every sequence and draws its next token. Returns how many tokens were read.
  Index advance(Context<B>& ctx, std::span<Sequence> sequences, const RolloutSettings& settings) {
    const auto scope = ctx.scope();
    const auto keeping = ctx.keeping();
    const TokenBatch<B> batch = upload_unread(ctx, sequences);
    const auto count = std::ssize(sequences);
    const auto hidden = scratch<Act>(ctx, batch.size(), model_.config().width);
    model_.forward(ctx, batch, hidden, model_.saved());

    uniforms_.clear(), staging_.rows.clear();
    for (const Sequence& s : sequences)
      uniforms_.push_back(rollout_number(settings, s.prompt->number, std::ssize(s.response->tokens)));
    for (const AttentionSpan& s : batch.host_spans) staging_.rows.push_back(static_cast<std::int32_t>(s.query_end - 1));
    const auto uniforms = upload<B>(ctx, uniforms_);
    const auto last = scratch<Act>(ctx, count, hidden.cols());
    gather_rows(ctx, last, In<B>(hidden), upload<B>(ctx, staging_.rows));
    const auto tokens = scratch<TokenId>(ctx, count);
    const auto logp = scratch<Act>(ctx, count), entropy = scratch<Act>(ctx, count);
    sample(ctx, tokens, logp, entropy, In<B>(last), model_.head().weight, uniforms,
           static_cast<Act>(1 / settings.temperature));
    download(ctx, drawn_, tokens), download(ctx, logp_, logp), download(ctx, entropy_, entropy);
    for (std::size_t i = 0; !ctx.planning() && i < sequences.size(); ++i) take(sequences[i], i, settings);
    return std::ssize(batch.host_spans) == 0 ? 0 : batch.host_spans.back().query_end;
  }

  void take(Sequence& s, std::size_t i, const RolloutSettings& settings) {
    require(std::isfinite(logp_[i]), Fault::numeric, "numeric.not_finite",
            "step {}: a value that is not finite left the head (lm_head) while prompt {} was answered; expected "
            "numbers; lower the learning rate",
            settings.step + 1, s.prompt->number);
    s.past += std::ssize(s.unread()) + (s.past == 0 ? prefix_of(model_) : 0);
    s.response->tokens.push_back(drawn_[i]);
    s.response->logp.push_back(logp_[i]);
    s.response->entropy.push_back(entropy_[i]);
    s.response->stopped = std::find(settings.stop.begin(), settings.stop.end(), drawn_[i]) != settings.stop.end();
  }

  // Each sequence's unread tokens as a document that continues what the cache holds of it.
  TokenBatch<B> upload_unread(Context<B>& ctx, std::span<const Sequence> sequences) {
    staging_.tokens.clear(), staging_.spans.clear(), staging_.positions.clear();
    Index longest = 0, prefix = 0;
    for (const Sequence& s : sequences) {
      if (s.past == 0) prefix = prefix_of(model_);  // then it is so for all
      const Index begin = std::ssize(staging_.tokens),
                  end = begin + (s.past == 0 ? prefix : 0) + std::ssize(s.unread());
      staging_.tokens.insert(staging_.tokens.end(), static_cast<std::size_t>(s.past == 0 ? prefix : 0), 0);
      staging_.tokens.insert(staging_.tokens.end(), s.unread().begin(), s.unread().end());
      const Index first = s.place * places_of_one();
      staging_.spans.push_back({begin, end, first, first + s.past + end - begin});
      longest = std::max(longest, s.past + end - begin);
    }
    staging_.positions.resize(staging_.tokens.size());
    stage_rotary(staging_, model_.config(), longest, 1);  // a row of the tables for each token
    TokenBatch<B> batch;
    batch.tokens = upload<B>(ctx, staging_.tokens);
    batch.prefix = prefix;
    batch.positions = upload<B>(ctx, staging_.positions);
    batch.cosines = upload<B>(ctx, staging_.cosines);
    batch.sines = upload<B>(ctx, staging_.sines);
    batch.spans = upload<B>(ctx, staging_.spans);
    batch.host_spans = staging_.spans;
    batch.cache = &cache_;
    batch.documents = std::ssize(staging_.spans);
    return batch;
  }

  template <class T>
  static void download(Context<B>& ctx, std::vector<T>& to, View<B, T, 1> from) {
    to.resize(static_cast<std::size_t>(from.size()));
    ctx.run("download", {.bytes = 2.0 * static_cast<double>(from.bytes())},
            [&] { B::download(ctx.stream(), to.data(), from.data, from.bytes()); });
  }

  void allocate_cache(Memory<B>& memory) {
    const std::array<Index, 2> extents = {shape_.sequences * places_of_one(), model_.config().kv_width()};
    for (auto* side : {&cache_.keys, &cache_.values}) {
      side->clear();
      for (Index l = 0; l < model_.config().layers; ++l) {
        side->push_back(memory.template allocate<Act, 2>(Holder::kept_activations, extents));
        // While planning not at null, to which nothing may be added.
        if (memory.planning()) side->back().data = reinterpret_cast<Act*>(Arena::alignment);
      }
    }
  }

  // The largest batches are prompts that fill the cache or what is read at once, and one token of every sequence.
  std::size_t planned_bytes() {
    Memory<B> none(Execution::planning);
    allocate_cache(none);
    Arena arena = Arena::imaginary();
    Context<B> ctx(stream_, arena, 0, Execution::planning);
    ctx.set_mode(Mode::evaluating);
    const Index most =
        std::min(shape_.sequences * shape_.places, std::max({shape_.tokens_at_once, shape_.places, shape_.sequences}));
    const std::vector<TokenId> tokens(static_cast<std::size_t>(shape_.places), 0);
    std::vector<RolloutPrompt> prompts(static_cast<std::size_t>(shape_.sequences));
    std::vector<Response<B>> responses(prompts.size());
    std::vector<Sequence> sequences;
    for (Index i = 0, left = most; i < shape_.sequences; ++i) {
      const Index length = std::min(shape_.places, left - (shape_.sequences - 1 - i));
      prompts[static_cast<std::size_t>(i)].tokens = std::span(tokens).first(static_cast<std::size_t>(length));
      sequences.push_back({&prompts[static_cast<std::size_t>(i)], &responses[static_cast<std::size_t>(i)], i});
      left -= length;
    }
    advance(ctx, sequences, {});
    return arena.peak();
  }

  M& model_;
  typename B::Stream& stream_;
  RolloutShape shape_;
  Memory<B> memory_;
  KeyValueCache<B> cache_;
  View<B, std::byte, 1> block_;
  BatchStaging<B> staging_;
  Index read_ = 0;
  std::vector<double> uniforms_;
  std::vector<TokenId> drawn_;
  std::vector<Act> logp_, entropy_;
};

}  // namespace temper
