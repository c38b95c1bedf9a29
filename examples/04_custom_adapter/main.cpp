// SPDX-License-Identifier: MIT
// An adapter of one's own: (IA)^3 (Liu et al. 2022), one learned factor for each output of a projection. A small
// decoder first learns to answer a word either with itself or with its reverse; factors on that model, frozen, settle
// the matter.
#include "temper/temper.hpp"
#include "temper/testing/gradient_check.hpp"

#include <cstdio>
#include <string>

using namespace temper;

// [ia3]
struct Ia3 {  // y = s * (x W^T + b), with W and b frozen
  template <class B>
  struct Linear {
    using Saved = View<B, typename B::Activation, 2>;  // x W^T + b, which the gradient of s needs
    FrozenLinear<B> base;
    Parameter<B> s;
    void forward(Context<B>& ctx, In<B> x, Out<B> y, Saved& unscaled) {
      unscaled = keep<typename B::Activation>(ctx, x.rows(), s.size());
      base.forward(ctx, x, into(unscaled));
      scale_columns(ctx, y, unscaled, vector_of(s));
    }
    void backward(Context<B>& ctx, In<B> dy, Out<B> dx, Saved& unscaled) {
      const auto scope = ctx.scope();
      const auto dunscaled = scratch<typename B::Activation>(ctx, dy.rows(), dy.cols());
      sum_of_products(ctx, onto(flat(s.gradient)), dy, unscaled);  // ds += sum over tokens of dy * unscaled
      scale_columns(ctx, into(dunscaled), dy, vector_of(s));
      base.backward(ctx, dunscaled, dx);
    }
    void visit(auto&& each) { each(s); }
  };
  template <class B>
  Linear<B> linear(Builder<B>& build, std::string_view path, LinearShape shape) const {
    return {build.frozen(path, shape), build.parameter(path, "ia3", {shape.out}, ones)};
  }
};
// [/ia3]

namespace {

constexpr std::string_view alphabet = "abcdefgh|.";
constexpr std::size_t word_length = 3, rows_of_a_batch = 64;
enum class Answers { both, reversed };

// Rows such as "fad|daf.", and with 'both' every other one "fad|fad."; what follows the bar is learned.
MicroBatch batch_of(Step step, Answers answers) {
  const Random random{.seed = 1, .site = random_site("words"), .step = static_cast<std::uint32_t>(step)};
  MicroBatch batch;
  for (std::size_t row = 0; row < rows_of_a_batch; ++row) {
    std::string word;
    for (std::size_t i = 0; i < word_length; ++i) word += alphabet[random.below(row * word_length + i, 8)];
    const std::string reversed(word.rbegin(), word.rend());
    std::vector<TokenId> tokens;
    for (const char c : word + "|" + (answers == Answers::both && row % 2 == 0 ? word : reversed) + ".")
      tokens.push_back(static_cast<TokenId>(alphabet.find(c)));
    std::vector<std::uint8_t> labels(tokens.size(), 1);
    std::fill_n(labels.begin(), word_length + 1, std::uint8_t{0});
    batch.add(tokens, labels);
  }
  return batch;
}

template <class M>
void train(M& model, Answers answers, Constant rate, Step steps) {
  const CausalLm objective;
  const AdamW optimizer;
  const BatchShape shape = shape_of(batch_of(0, answers).host());
  Session session(model, optimizer, plan_step(model, objective, optimizer, {.training = {shape}, .evaluating = {}}));
  std::printf("%d numbers are trained\n", static_cast<int>(trained_elements(model)));
  for (Step step = 0; step < steps; ++step) {
    const MicroBatch batch = batch_of(step, answers);
    begin_step(session, model, step, static_cast<double>(batch.supervised_tokens()));
    const Loss loss = forward_backward(session, model, objective, batch.host());
    clip_gradients(session, model, 1.0);
    update(session, model, optimizer, rate(step));
    if (step % 20 == 0 || step + 1 == steps)
      std::printf("  step %3d  loss %.3f\n", static_cast<int>(step), loss.mean());
  }
}

// The share of letters that are predicted right, in unseen words whose answer is the reverse.
template <class M>
double score(M& model) {
  const MicroBatch batch = batch_of(1'000'000, Answers::reversed);
  const CausalLm objective;
  const AdamW optimizer;
  Session session(model, optimizer, plan_step(model, objective, optimizer, {{}, {shape_of(batch.host())}}));
  return evaluate(session, model, objective, batch.host()).accuracy();
}

}  // namespace

int main() {
  const GradientCheck check = check_adapter_gradient(Ia3{}, 5, 6, 7);  // 5 tokens, 6 inputs, 7 outputs
  std::printf("gradient check: relative error %.0e (%s)\n", check.largest_error, check.where.c_str());
  if (check.largest_error > 1e-6) return 1;

  const Config config = read_config({{"model_type", "llama"},
                                     {"vocab_size", alphabet.size()},
                                     {"hidden_size", 64},
                                     {"num_hidden_layers", 2},
                                     {"num_attention_heads", 4},
                                     {"intermediate_size", 128}},
                                    "custom_adapter");
  Decoder<Cpu<float>, Full> base(config, {});
  train(base, Answers::both, {3e-3}, 120);
  NewFolder folder("out/base", Existing::replaced);
  save_model(base, {}, folder.path());
  folder.publish();

  auto model = open_decoder<Cpu<float>>("out/base", Ia3{});
  const double before = score(model);
  train(model, Answers::reversed, {2e-2}, 60);
  const double after = score(model);
  std::printf("letters predicted right: %.0f %% before, %.0f %% after\n", 100 * before, 100 * after);
  return after > before && after > 0.9 ? 0 : 1;
}
