// SPDX-License-Identifier: MIT
// A model that is trained by the rewards of its answers: its distribution is softmax(z / temperature), and where an
// advantage needs them it has values too, V = h . w on the final hidden state h that predicts a token, with gradients
// into the model. The value head starts at zero, is trained, decayed and saved in checkpoints as every parameter is,
// and is no part of what the model is saved as.
#pragma once
#include <optional>
#include <vector>

#include "temper/model/heads.hpp"

namespace temper {

enum class ValueHead { none, one };

template <class M>
class Policy {
 public:
  using Backend = typename M::Backend;
  using B = Backend;

  Policy(M& model, ValueHead values, Execution execution = Execution::running) : model_(&model), memory_(execution) {
    if (values == ValueHead::none) return;
    typename B::Stream stream(1);
    Builder<B> build(memory_, stream, nullptr, 0);
    value_ = build.parameter("value", "weight", {1, model.config().width}, zeros);
  }

  M& model() { return *model_; }
  const Config& config() const { return model_->config(); }
  Index prefix() const { return prefix_of(*model_); }
  bool has_values() const { return value_.has_value(); }
  Parameter<B>& value() { return *value_; }
  BytesByHolder bytes() const {
    BytesByHolder bytes = model_->bytes();
    for (std::size_t h = 0; h < bytes.size(); ++h) bytes[h] += memory_.bytes()[h];
    return bytes;
  }

  // Every trained parameter: the model's, then the value head.
  void visit(auto&& each) {
    model_->visit(each);
    if (value_) each(*value_);
  }

 private:
  M* model_;
  Memory<B> memory_;
  std::optional<Parameter<B>> value_;  // [1, D]
};

// What a policy says about tokens: one number each.
struct PolicyReading {
  std::vector<double> logp, entropy, values;  // values where it has them
};

// Appends what the policy says about the supervised tokens of a batch, forward alone; with the adapters off, what the
// reference says, of which log-probabilities are all that is asked.
template <class B, class M>
void read_policy(Context<B>& ctx, BatchStaging<B>& staging, Policy<M>& policy, const HostBatch& host,
                 double temperature, Adapters adapters, PolicyReading& result) {
  using Act = typename B::Activation;
  M& model = policy.model();
  read_states(ctx, staging, model, host, adapters, [&](const TokenBatch<B>& batch, In<B> states) {
    const Index count = batch.supervised();
    const auto logp = scratch<Act>(ctx, count), lse = scratch<Act>(ctx, count);
    View<B, Act, 1> entropy;
    if (adapters == Adapters::on) entropy = scratch<Act>(ctx, count);
    log_probs(ctx, logp, lse, states, model.head(adapters).weight, batch.targets, static_cast<Act>(1 / temperature),
              entropy);
    append<B>(ctx, staging, result.logp, logp);
    if (adapters == Adapters::off) return;
    append<B>(ctx, staging, result.entropy, entropy);
    if (!policy.has_values()) return;
    const auto values = scratch<Act>(ctx, count, 1);
    matmul(ctx, into(values), states, DenseMatrix<B>(policy.value().value));
    append<B>(ctx, staging, result.values, flat(values));
  });
}

// Numbers for each supervised token on their way between backend and host.
struct TokenSlopes {
  std::vector<double> logp, values, dlogp, dvalues;
};

// Forward, the loss of the supervised tokens and backward: gradients are added to. 'loss' is given the new
// log-probabilities and values and fills their slopes; it is not called while planning.
// [run_policy_gradient]
template <class B, class M, class LossOfTokens>
void run_policy_gradient(Context<B>& ctx, BatchStaging<B>& staging, Policy<M>& policy, const HostBatch& host,
                         double temperature, TokenSlopes& tokens, LossOfTokens&& loss) {
  using Act = typename B::Activation;
  M& model = policy.model();
  const auto scope = ctx.scope();
  const auto keeping = ctx.keeping();
  const TokenBatch<B> batch = upload_batch_of(ctx, staging, model, host);
  const auto hidden = scratch<Act>(ctx, batch.size(), model.config().width);
  model.forward(ctx, batch, hidden, model.saved());
  {
    const auto head_scope = ctx.scope();
    const Index count = batch.supervised();
    const auto inverse = static_cast<Act>(1 / temperature);
    const auto states = scratch<Act>(ctx, count, hidden.cols()), dstates = scratch<Act>(ctx, count, hidden.cols());
    const auto logp = scratch<Act>(ctx, count), lse = scratch<Act>(ctx, count);
    const HeadOf<B> head = model.head();
    gather_rows(ctx, states, In<B>(hidden), batch.rows);
    log_probs(ctx, logp, lse, In<B>(states), head.weight, batch.targets, inverse);
    View<B, Act, 2> values;
    tokens.logp.clear(), tokens.values.clear();
    append<B>(ctx, staging, tokens.logp, logp);
    if (policy.has_values()) {
      values = scratch<Act>(ctx, count, 1);
      matmul(ctx, into(values), In<B>(states), DenseMatrix<B>(policy.value().value));
      append<B>(ctx, staging, tokens.values, flat(values));
    }
    ctx.run("policy_loss", {.flops = 40 * static_cast<double>(count)}, [&] {
      tokens.dlogp.assign(tokens.logp.size(), 0), tokens.dvalues.assign(tokens.values.size(), 0);
      loss(tokens);
    });
    const auto slopes = [&](const std::vector<double>& from) {
      staging.reference.assign(from.begin(), from.end());
      staging.reference.resize(static_cast<std::size_t>(count));  // while planning
      return upload<B>(ctx, staging.reference);
    };
    log_probs_backward(ctx, dstates, head.gradient, slopes(tokens.dlogp), View<B, const Act, 1>(lse), In<B>(states),
                       head.weight, batch.targets, inverse);
    if (policy.has_values()) {
      const View<B, const Act, 1> upwards = slopes(tokens.dvalues);
      const In<B> dvalues(upwards.data, {count, 1});
      matmul_outer(ctx, onto(policy.value().gradient), dvalues, In<B>(states));
      matmul_transposed(ctx, onto(dstates), dvalues, DenseMatrix<B>(policy.value().value));
    }
    scatter_rows(ctx, hidden, In<B>(dstates), batch.rows);
  }
  model.backward(ctx, batch, hidden, model.saved());
}
// [/run_policy_gradient]

}  // namespace temper
