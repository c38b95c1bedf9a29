// SPDX-License-Identifier: MIT
// The recorded models of tests/golden/model (see its README) as batches, values and runs.
#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "temper/temper.hpp"
#include "temper/testing/gradient_check.hpp"

namespace temper_test {

using namespace temper;

// Known to the compiler, so that paths made of it before main() begins are whole: constants of several files have no
// order among themselves.
struct GoldenFolder {
  const char* path;
  std::filesystem::path operator/(const std::filesystem::path& name) const {
    return std::filesystem::path(path) / name;
  }
};
inline constexpr GoldenFolder golden_models{TEMPER_TESTS "/golden/model"};

inline const std::vector<std::string>& golden_families() {
  static const std::vector<std::string> names = {"llama2",     "llama3", "llama_linear", "llama_dynamic",
                                                 "llama_bf16", "qwen2",  "qwen3",        "mistral"};
  return names;
}

// llama3 with the weights of its projections rounded to f16, as transformers does before it quantizes to 8 bits.
inline void write_rounded_llama3(const std::filesystem::path& folder) {
  const WeightFolder weights(golden_models / "llama3");
  std::vector<TensorToWrite> tensors;
  for (const TensorInfo& tensor : weights.tensors())
    tensors.push_back({tensor.name, Element::f32, tensor.shape, {}, [&tensor](Index first, std::span<float> to) {
                         widen(tensor, first, to);
                         if (tensor.name.find("_proj") == std::string::npos) return;
                         for (float& value : to) value = to_float(to_f16(value));
                       }});
  write_weights(folder, tensors);
  std::filesystem::copy_file(golden_models / "llama3/config.json", folder / "config.json");
}

// Documents one after the other; owns what a HostBatch views.
struct PackedRows {
  std::vector<TokenId> tokens, targets;
  std::vector<std::uint8_t> supervised;
  std::vector<Index> starts = {0};

  // labels[i]: is token i predicted. The prediction of token i is made at position i - 1.
  void add(const std::vector<TokenId>& row, const std::vector<int>& labels) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool last = i + 1 == row.size();
      tokens.push_back(row[i]);
      targets.push_back(last ? 0 : row[i + 1]);
      supervised.push_back(!last && labels[i + 1] ? 1 : 0);
    }
    starts.push_back(std::ssize(tokens));
  }
  HostBatch host() const { return {tokens, targets, supervised, starts}; }
  Index count() const {
    Index n = 0;
    for (const auto s : supervised) n += s;
    return n;
  }
};

struct GoldenBatch {
  std::vector<PackedRows> rows;  // one document each
  std::size_t expected = 0;      // how many of them stand behind expected.safetensors

  explicit GoldenBatch(const std::string& family) {
    const Json json = read_json(golden_models / family / "batch.json");
    expected = json["expected_documents"].get<std::size_t>();
    for (const Json& document : json["documents"]) {
      rows.emplace_back();
      rows.back().add(document["tokens"].get<std::vector<TokenId>>(), document["labels"].get<std::vector<int>>());
    }
  }
  // Rows [begin, end) as one packed batch.
  PackedRows packed(std::size_t begin, std::size_t end) const {
    PackedRows all;
    for (std::size_t r = begin; r < end; ++r) {
      const PackedRows& row = rows[r % rows.size()];
      const Index offset = std::ssize(all.tokens);
      all.tokens.insert(all.tokens.end(), row.tokens.begin(), row.tokens.end());
      all.targets.insert(all.targets.end(), row.targets.begin(), row.targets.end());
      all.supervised.insert(all.supervised.end(), row.supervised.begin(), row.supervised.end());
      all.starts.push_back(offset + row.starts.back());
    }
    return all;
  }
};

// A model with its session, planned for batches of up to these rows.
template <class M, class O, class R>
struct Trainee {
  M& model;
  const O& objective;
  const R& rule;
  Plan plan;
  Session<typename M::Backend, R> session;

  Trainee(M& m, const O& o, const R& r, const BatchShape& shape, SessionOptions options = {})
      : model(m),
        objective(o),
        rule(r),
        plan(plan_step(m, o, r, {.training = {shape}, .evaluating = {shape}}, options)),
        session(m, r, plan, options) {}

  // One optimizer step over micro-batches; the gradient norm before clipping.
  std::pair<double, double> step(Step number, const std::vector<PackedRows>& micro_batches, double rate, double clip) {
    double denominator = 0;
    for (const PackedRows& batch : micro_batches) denominator += static_cast<double>(batch.count());
    begin_step(session, model, number, denominator);
    Loss loss;
    for (const PackedRows& batch : micro_batches) loss += forward_backward(session, model, objective, batch.host());
    const double norm = clip_gradients(session, model, clip);
    update(session, model, rule, rate);
    return {loss.mean(), norm};
  }
};

// Logits (or scores) of every token, by the model's own forward pass in evaluation: [T, V].
template <class M>
std::vector<typename M::Backend::Activation> logits_of(M& model, const PackedRows& rows) {
  using B = typename M::Backend;
  using Act = typename B::Activation;
  std::vector<std::byte> memory(std::size_t{1} << 24);
  Arena arena(memory.data(), memory.size());
  typename B::Stream stream(1);
  Context<B> ctx(stream, arena, 0, Execution::running);
  ctx.set_mode(Mode::evaluating);
  BatchStaging<B> staging;
  const TokenBatch<B> batch = upload_batch_of(ctx, staging, model, rows.host());
  const auto hidden = scratch<Act>(ctx, batch.size(), model.config().width);
  const auto logits = scratch<Act>(ctx, batch.size(), model.head().weight.rows);
  model.forward(ctx, batch, hidden, model.saved());
  matmul(ctx, into(logits), hidden, model.head().weight);
  std::vector<Act> all;
  for (const AttentionSpan& s : batch.host_spans)
    all.insert(all.end(), &logits(s.query_begin + batch.prefix, 0), logits.data + s.query_end * logits.cols());
  return all;
}

template <class M>
std::string peft_name_of(const M& model, const std::string& name) {
  if constexpr (requires { peft_name(model.adapter(), name); })
    return peft_name(model.adapter(), name);
  else
    return name;
}

// The largest difference, relative to the largest expected value.
template <class Real>
double relative_error(std::span<const Real> values, const std::vector<float>& expected) {
  REQUIRE(values.size() == expected.size());
  double largest = 1e-12, error = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    error = std::max(error, std::abs(static_cast<double>(values[i]) - static_cast<double>(expected[i])));
  }
  return error / largest;
}

}  // namespace temper_test
