// SPDX-License-Identifier: MIT
// What a model is given: a stream of tokens with the documents' borders as its only description. There are no pad
// tokens, and labels are positions, never ids (design rules D5).
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "temper/backend/operations.hpp"
#include "temper/core/context.hpp"
#include "temper/model/rope.hpp"
#include "temper/storage/dense.hpp"

namespace temper {

// Whether what two neighbours, documents 2p and 2p + 1, begin with in common is read once for both: the second then has
// rows for its own part alone, which see the first's keys as if they were its own. The bits are those of reading it
// twice.
enum class Prompts { apart, shared };

// What was kept of a teacher at each supervised token: its largest logits and their tokens, [S * kept], and the rest
// (backend/cpu/top_divergence.hpp).
struct TaughtTop {
  std::span<const float> logits;
  std::span<const TokenId> tokens;
  std::span<const double> rest;  // [S]
};

// Made by the data side; plain host memory that lives through the call.
struct HostBatch {
  std::span<const TokenId> tokens;           // [T] documents one after the other
  std::span<const TokenId> targets;          // [T] what the prediction made at each position is held against
  std::span<const std::uint8_t> supervised;  // [T] 1: that prediction counts
  std::span<const Index> document_starts;    // [documents + 1], from 0 to T
  std::span<const double> reference = {};    // [supervised] log-probabilities with the adapters off, or empty
  Prompts prompts = Prompts::apart;
  Index planned_keys = 0;               // of a batch that is only planned: so many keys more than rows
  std::span<const double> labels = {};  // [documents * outputs] what each score is held against, or empty
  TaughtTop taught = {};                // or empty
  Index planned_top = 0;                // of a batch that is only planned: so many logits of a teacher a token
};

// What document d begins with as the one before it does: tokens that both only read, of which one at least stays.
inline Index shared_tokens(const HostBatch& batch, Index d) {
  if (batch.prompts == Prompts::apart || d % 2 == 0) return 0;
  const auto at = static_cast<std::size_t>(d);
  const auto one = static_cast<std::size_t>(batch.document_starts[at - 1]),
             other = static_cast<std::size_t>(batch.document_starts[at]),
             end = static_cast<std::size_t>(batch.document_starts[at + 1]);
  const std::size_t most = std::min(other - one, end - other) - 1;
  const auto supervised = [&](std::size_t t) { return !batch.supervised.empty() && batch.supervised[t] != 0; };
  std::size_t n = 0;
  while (n < most && batch.tokens[one + n] == batch.tokens[other + n] && !supervised(one + n) && !supervised(other + n))
    ++n;
  return static_cast<Index>(n);
}

// The numbers that decide how much memory a micro-batch needs.
struct BatchShape {
  Index tokens = 0, documents = 0, supervised = 0, longest = 0;
  Index shared = 0;  // of the tokens: those that a document reads with the one before it
  Index labels = 0;  // of all documents together

  Index rows() const { return tokens - shared; }
  friend bool operator==(const BatchShape&, const BatchShape&) = default;
};

inline Index shared_tokens(const HostBatch& batch) {
  Index count = 0;
  for (Index d = 1; d + 1 < std::ssize(batch.document_starts); ++d) count += shared_tokens(batch, d);
  return count;
}

inline BatchShape shape_of(const HostBatch& batch) {
  BatchShape shape{.tokens = std::ssize(batch.tokens), .documents = std::ssize(batch.document_starts) - 1};
  shape.labels = std::ssize(batch.labels);
  for (const std::uint8_t s : batch.supervised) shape.supervised += s != 0;
  for (std::size_t d = 1; d < batch.document_starts.size(); ++d)
    shape.longest = std::max(shape.longest, batch.document_starts[d] - batch.document_starts[d - 1]);
  shape.shared = shared_tokens(batch);
  return shape;
}

// Keys and values of what was already read, for generation: one row of each matrix is one position of one sequence.
template <class B>
struct KeyValueCache {
  std::vector<View<B, typename B::Activation, 2>> keys, values;  // one for each layer: [capacity, K * C]
};

// What a teacher has at the supervised positions, and what makes logits of it (distillation).
template <class B>
struct TaughtStates {
  View<B, const typename B::Activation, 2> states;  // [S, its width]
  DenseMatrix<B> head;                              // [V, its width]
  // Or what was kept of it.
  View<B, const typename B::Activation, 2> top = {};  // [S, K] logits
  View<B, const TokenId, 2> tokens = {};              // [S, K]
  View<B, const double, 1> rest = {};                 // [S]
};

// The same on the backend, with everything that layers derive from it.
template <class B>
struct TokenBatch {
  using Act = typename B::Activation;
  View<B, const TokenId, 1> tokens;          // [T]
  View<B, const std::int32_t, 1> positions;  // [T] row of the rotary tables
  View<B, const Act, 1> cosines, sines;      // flattened [positions, C / 2]
  View<B, const std::int32_t, 1> key_rows;   // [keys] where documents share some: the row that makes each key
  View<B, const AttentionSpan, 1> spans;     // a document each
  std::span<const AttentionSpan> host_spans;
  Index prefix = 0;                   // places before each document whose states are the model's own, not a token's
  KeyValueCache<B>* cache = nullptr;  // generation only

  View<B, const std::int32_t, 1> rows;         // [S] the supervised positions, ascending
  View<B, const TokenId, 1> targets;           // [S]
  View<B, const std::int32_t, 1> sequence_of;  // [S] document of each supervised position
  View<B, const Act, 1> reference;             // [S] or empty
  View<B, const std::int32_t, 1> last_rows;    // [documents] the last position of each; empty in generation
  View<B, const Act, 1> labels;                // [documents * outputs] or empty
  TaughtStates<B> taught;                      // or empty
  Index documents = 0;

  Index size() const { return positions.size(); }
  Index supervised() const { return rows.size(); }
};

// Host memory that batches pass through; it grows to the largest and then stays.
template <class B>
struct BatchStaging {
  std::vector<std::int32_t> positions, rows, sequence_of, key_rows, last_rows;
  std::vector<TokenId> tokens, targets;
  std::vector<typename B::Activation> cosines, sines, frequencies, reference, labels;
  std::vector<AttentionSpan> spans;

  // Room for every micro-batch that is planned, so that none of them allocates.
  void reserve(Index places, Index document_count, Index head_width) {
    const auto t = static_cast<std::size_t>(places), half = static_cast<std::size_t>(head_width / 2);
    tokens.reserve(t), positions.reserve(t), rows.reserve(t), sequence_of.reserve(t), key_rows.reserve(t),
        targets.reserve(t), reference.reserve(t);
    cosines.reserve(t * half), sines.reserve(t * half), frequencies.reserve(half);
    spans.reserve(static_cast<std::size_t>(document_count));
    last_rows.reserve(static_cast<std::size_t>(document_count));
  }
};

template <class B, class T>
View<B, const T, 1> upload(Context<B>& ctx, std::span<const T> values) {
  const auto view = scratch<T>(ctx, std::ssize(values));
  ctx.run("upload", {.bytes = 2.0 * static_cast<double>(values.size_bytes())},
          [&] { B::upload(ctx.stream(), view.data, values.data(), values.size_bytes()); });
  return view;
}
template <class B, class T>
View<B, const T, 1> upload(Context<B>& ctx, const std::vector<T>& values) {
  return upload<B>(ctx, std::span<const T>(values));
}

// What was kept of a teacher; scratch of the enclosing scope.
template <class B>
TaughtStates<B> upload_top(Context<B>& ctx, BatchStaging<B>& staging, const HostBatch& host) {
  using Act = typename B::Activation;
  const Index count = host.planned_top > 0 ? shape_of(host).supervised : std::ssize(host.taught.rest);
  const Index kept = host.planned_top > 0 ? host.planned_top : std::ssize(host.taught.logits) / count;
  const auto top = scratch<Act>(ctx, count, kept);
  const auto tokens = scratch<TokenId>(ctx, count, kept);
  const auto rest = scratch<double>(ctx, count);
  ctx.run("upload", {.bytes = 2.0 * static_cast<double>(top.bytes() + tokens.bytes() + rest.bytes())}, [&] {
    require(host.taught.logits.size() == static_cast<std::size_t>(count * kept) &&
                host.taught.tokens.size() == host.taught.logits.size() && count == shape_of(host).supervised,
            Fault::usage, "batch.taught",
            "{} logits, {} tokens and {} rests of a teacher for {} supervised tokens; expected equally many for each",
            host.taught.logits.size(), host.taught.tokens.size(), count, shape_of(host).supervised);
    if constexpr (std::is_same_v<Act, float>) {
      B::upload(ctx.stream(), top.data, host.taught.logits.data(), top.bytes());
    } else {
      staging.reference.assign(host.taught.logits.begin(), host.taught.logits.end());
      B::upload(ctx.stream(), top.data, staging.reference.data(), top.bytes());
    }
    B::upload(ctx.stream(), tokens.data, host.taught.tokens.data(), tokens.bytes());
    B::upload(ctx.stream(), rest.data, host.taught.rest.data(), rest.bytes());
  });
  TaughtStates<B> taught;
  taught.top = top, taught.tokens = tokens, taught.rest = rest;
  return taught;
}

// Rotary tables: one row a position up to the longest document - or one row a token where documents are continued, or
// where a document's length changes its frequencies (dynamic scaling beyond the trained length).
template <class B>
void stage_rotary(BatchStaging<B>& staging, const Config& config, Index longest, Index past) {
  const Index half = config.head_width / 2;
  const bool by_length = config.rope.kind == Rope::Kind::dynamic && longest > config.rope.original_positions;
  const bool by_token = by_length || past > 0;
  const auto table_rows = by_token ? std::ssize(staging.positions) : longest;
  staging.cosines.resize(static_cast<std::size_t>(table_rows * half));
  staging.sines.resize(static_cast<std::size_t>(table_rows * half));
  const auto fill = [&](Index row, Index position) {
    rope_row(staging.frequencies, position, staging.cosines.data() + row * half, staging.sines.data() + row * half);
  };
  rope_frequencies(config.rope, config.head_width, 0, staging.frequencies);
  if (!by_token) {
    for (Index p = 0; p < longest; ++p) fill(p, p);
    return;
  }
  Index row = 0;
  for (const AttentionSpan& s : staging.spans) {
    const Index length = s.key_end - s.key_begin;
    if (by_length) rope_frequencies(config.rope, config.head_width, length, staging.frequencies);
    for (Index q = s.query_begin; q < s.query_end; ++q, ++row) {
      fill(row, length - (s.query_end - q));
      staging.positions[static_cast<std::size_t>(q)] = static_cast<std::int32_t>(row);
    }
  }
}

// Places that a model puts before each document.
template <class M>
Index prefix_of(const M& model) {
  if constexpr (requires { model.prefix(); })
    return model.prefix();
  else
    return 0;
}

// Whether documents of this model can share what they begin with: not where each has learned states of its own before
// it, and not where its length changes its rotation.
inline bool can_share(const Config& config, Index prefix) {
  return prefix == 0 && config.rope.kind != Rope::Kind::dynamic;
}

// The rows that a batch has on the backend: what its documents share stands there once.
inline Index rows_of(const HostBatch& host, const Config& config, Index prefix) {
  const Index documents = std::ssize(host.document_starts) - 1;
  return std::ssize(host.tokens) + prefix * documents - (can_share(config, prefix) ? shared_tokens(host) : 0);
}

// Brings a batch to the backend; what it makes is scratch of the enclosing scope. With 'past' the batch continues a
// single document of which so many positions are in a cache already. With 'prefix' so many places are put before each
// document that begins here: they have positions and are attended to, and no token and no target; nothing is shared
// then.
template <class B>
TokenBatch<B> upload_batch(Context<B>& ctx, BatchStaging<B>& staging, const Config& config, const HostBatch& host,
                           Index past = 0, Index prefix = 0) {
  if (past > 0) prefix = 0;
  staging.tokens.clear(), staging.spans.clear(), staging.positions.clear(), staging.rows.clear(),
      staging.targets.clear(), staging.sequence_of.clear(), staging.key_rows.clear(), staging.last_rows.clear();
  const auto check_id = [&](std::string_view what, TokenId id) {
    require(id >= 0 && id < config.vocabulary, Fault::data, "batch.token",
            "{} id {} is outside of the vocabulary of {}; expected ids of the model's own tokenizer", what, id,
            config.vocabulary);
  };
  const bool shares = host.planned_keys + shared_tokens(host) > 0 && can_share(config, prefix);
  Index longest = 0;
  for (std::size_t d = 0; d + 1 < host.document_starts.size(); ++d) {
    const Index begin = host.document_starts[d], end = host.document_starts[d + 1];
    const Index shared = shares ? shared_tokens(host, static_cast<Index>(d)) : 0;
    const Index row = std::ssize(staging.positions), key = shares ? std::ssize(staging.key_rows) : row;
    const Index length = prefix + end - begin;
    staging.spans.push_back({row, row + length - shared, key, key + length + past});
    if (!host.supervised.empty()) staging.last_rows.push_back(static_cast<std::int32_t>(row + length - shared - 1));
    longest = std::max(longest, length + past);
    for (Index k = 0; shares && k < length; ++k) {
      const Index from = k < shared ? staging.spans[d - 1].query_begin + k : row + k - shared;
      staging.key_rows.push_back(static_cast<std::int32_t>(from));
    }
    for (Index p = 0; p < prefix; ++p) {
      staging.positions.push_back(static_cast<std::int32_t>(p));
      staging.tokens.push_back(0);  // any: what stands here is overwritten
    }
    for (Index t = begin + shared; t < end; ++t) {
      const auto at = static_cast<std::size_t>(t);
      check_id("token", host.tokens[at]);
      staging.positions.push_back(static_cast<std::int32_t>(prefix + t - begin));
      staging.tokens.push_back(host.tokens[at]);
      if (host.supervised.empty() || host.supervised[at] == 0) continue;
      check_id("target", host.targets[at]);
      staging.rows.push_back(static_cast<std::int32_t>(std::ssize(staging.positions) - 1));
      staging.targets.push_back(host.targets[at]);
      staging.sequence_of.push_back(static_cast<std::int32_t>(d));
    }
  }
  staging.key_rows.resize(staging.key_rows.size() + static_cast<std::size_t>(host.planned_keys));
  stage_rotary(staging, config, longest, past);
  TokenBatch<B> batch;
  batch.tokens = upload<B>(ctx, staging.tokens);
  batch.prefix = prefix;
  batch.positions = upload<B>(ctx, staging.positions);
  batch.cosines = upload<B>(ctx, staging.cosines);
  batch.sines = upload<B>(ctx, staging.sines);
  batch.spans = upload<B>(ctx, staging.spans);
  if (shares) batch.key_rows = upload<B>(ctx, staging.key_rows);
  batch.host_spans = staging.spans;
  batch.rows = upload<B>(ctx, staging.rows);
  batch.targets = upload<B>(ctx, staging.targets);
  batch.sequence_of = upload<B>(ctx, staging.sequence_of);
  batch.last_rows = upload<B>(ctx, staging.last_rows);
  batch.documents = std::ssize(host.document_starts) - 1;
  if (!host.labels.empty()) {
    require(std::ssize(host.labels) % batch.documents == 0, Fault::usage, "batch.labels",
            "{} labels for {} documents; expected equally many each", host.labels.size(), batch.documents);
    staging.labels.clear();
    for (const double label : host.labels) staging.labels.push_back(static_cast<typename B::Activation>(label));
    batch.labels = upload<B>(ctx, staging.labels);
  }
  if (host.reference.empty()) return batch;
  require(host.reference.size() == staging.rows.size(), Fault::usage, "batch.reference",
          "{} reference log-probabilities for {} supervised tokens; expected one each", host.reference.size(),
          staging.rows.size());
  staging.reference.clear();
  for (const double logp : host.reference) staging.reference.push_back(static_cast<typename B::Activation>(logp));
  batch.reference = upload<B>(ctx, staging.reference);
  return batch;
}

// The same for a model, with the places that its adapter puts before each document.
template <class B, class M>
TokenBatch<B> upload_batch_of(Context<B>& ctx, BatchStaging<B>& staging, const M& model, const HostBatch& host,
                              Index past = 0) {
  return upload_batch(ctx, staging, model.config(), host, past, ctx.adapted() ? prefix_of(model) : 0);
}

}  // namespace temper
