// SPDX-License-Identifier: MIT
// An objective of one's own: SimPO (Meng et al. 2024) on preference pairs. A small decoder first learns to answer a
// word either with itself or with its reverse; pairs that prefer the reverse then settle the matter.
#include "temper/temper.hpp"
#include "temper/testing/gradient_check.hpp"

#include <cstdio>
#include <string>

using namespace temper;

// [simpo]
// -log sigmoid(beta (chosen - rejected) - gamma), of mean log-probabilities a token.
struct SimPo {
  double beta = 2, gamma = 1;
  template <class B>
  using Input = LogProbs<B>;
  template <class B>
  using Batch = PairBatch<B>;

  PairTerm operator()(double chosen, double rejected) const {
    const double margin = beta * (chosen - rejected) - gamma, slope = -beta * sigmoid(-margin);
    return {.loss = softplus(-margin), .chosen = slope, .rejected = -slope};
  }
  template <class B>
  Loss loss(Context<B>& ctx, LogProbs<B> logp, const PairBatch<B>& batch,
            View<B, typename B::Activation, 1> dlogp) const {
    return loss_of_pairs(ctx, *this, Reduce::mean, logp, batch, dlogp);
  }
};
// [/simpo]

namespace {

constexpr std::string_view alphabet = "abcdefgh|.";
constexpr std::size_t word_length = 3, pairs_of_a_batch = 32;

// 'word' and 'answer' as "fad|daf."; the answer is learned.
void add_row(MicroBatch& batch, const std::string& word, const std::string& answer) {
  std::vector<TokenId> tokens;
  const std::string text = fmt::format("{}|{}.", word, answer);
  for (const char c : text) tokens.push_back(static_cast<TokenId>(alphabet.find(c)));
  std::vector<std::uint8_t> labels(tokens.size(), 1);
  std::fill_n(labels.begin(), word_length + 1, std::uint8_t{0});
  batch.add(tokens, labels);
}

// Documents 2p and 2p + 1 are a pair: the reverse is preferred to the copy.
MicroBatch pairs_of(Step step) {
  const Random random{.seed = 1, .site = random_site("words"), .step = static_cast<std::uint32_t>(step)};
  MicroBatch batch;
  for (std::uint64_t p = 0; p < pairs_of_a_batch; ++p) {
    const std::uint64_t at = p * word_length, first = random.below(at, 8);  // the last letter is another one
    const std::string word{alphabet[first], alphabet[random.below(at + 1, 8)],
                           alphabet[(first + 1 + random.below(at + 2, 7)) % 8]};
    add_row(batch, word, {word.rbegin(), word.rend()});
    add_row(batch, word, word);
  }
  return batch;
}

// 'count' says what a step's loss is the mean of: tokens, or pairs.
template <class M, class O, class Count>
void train(M& model, const O& objective, Count count, Constant rate, Step steps) {
  const AdamW optimizer;
  const BatchShape shape = shape_of(pairs_of(0).host());
  Session session(model, optimizer, plan_step(model, objective, optimizer, {.training = {shape}, .evaluating = {}}));
  for (Step step = 0; step < steps; ++step) {
    const MicroBatch batch = pairs_of(step);
    begin_step(session, model, step, count(batch));
    const Loss loss = forward_backward(session, model, objective, batch.host());
    clip_gradients(session, model, 1.0);
    update(session, model, optimizer, rate(step));
    if (step % 20 == 0 || step + 1 == steps)
      std::printf("  step %3d  loss %.3f  right %3.0f %%\n", static_cast<int>(step), loss.mean(),
                  100 * loss.accuracy());
  }
}

// The share of unseen pairs whose reverse is the likelier answer.
template <class M>
double preference(M& model) {
  const MicroBatch batch = pairs_of(1'000'000);
  const SimPo objective;
  const AdamW optimizer;
  Session session(model, optimizer, plan_step(model, objective, optimizer, {{}, {shape_of(batch.host())}}));
  return evaluate(session, model, objective, batch.host()).accuracy();
}

}  // namespace

int main() {
  // [check]
  const GradientCheck check = check_objective_gradient(SimPo{});
  std::printf("gradient check: relative error %.0e\n", check.largest_error);
  if (check.largest_error > 1e-6) return 1;
  // [/check]

  const Config config = read_config({{"model_type", "llama"},
                                     {"vocab_size", alphabet.size()},
                                     {"hidden_size", 64},
                                     {"num_hidden_layers", 2},
                                     {"num_attention_heads", 4},
                                     {"intermediate_size", 128}},
                                    "custom_objective");
  Decoder<Cpu<float>, Full> model(config, {});
  std::puts("both answers, next-token cross-entropy:");
  train(
      model, CausalLm{}, [](const MicroBatch& b) { return static_cast<double>(b.supervised_tokens()); }, {3e-3}, 100);
  const double before = preference(model);
  std::puts("pairs, SimPO:");
  train(
      model, SimPo{}, [](const MicroBatch&) { return static_cast<double>(pairs_of_a_batch); }, {1e-4}, 60);
  const double after = preference(model);
  std::printf("the reverse is preferred for %.0f %% of unseen words before, %.0f %% after\n", 100 * before,
              100 * after);
  return after > before && after > 0.9 ? 0 : 1;
}
