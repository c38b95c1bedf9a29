// SPDX-License-Identifier: MIT
// A training loop of one's own, on the CPU, from nothing: a small decoder learns to copy a word; then LoRA teaches that
// model, frozen, to write the word backwards.
#include "temper/temper.hpp"

#include <cstdio>
#include <string>

using namespace temper;

namespace {

constexpr std::string_view alphabet = "abcdefgh|.";  // eight letters, the question's end, the answer's end
constexpr Index word_length = 4, rows_of_a_batch = 32;
constexpr TokenId answer_end = 9;

std::vector<TokenId> tokens_of(std::string_view text) {
  std::vector<TokenId> tokens;
  for (const char c : text) tokens.push_back(static_cast<TokenId>(alphabet.find(c)));
  return tokens;
}

std::string word(Step step, Index row) {
  const Random random{.seed = 1, .site = random_site("words"), .step = static_cast<std::uint32_t>(step)};
  std::string letters;
  for (Index i = 0; i < word_length; ++i)
    letters += alphabet[random.below(static_cast<std::uint64_t>(row * word_length + i), 8)];
  return letters;
}

std::string copied(const std::string& word) { return word; }
std::string reversed(const std::string& word) { return {word.rbegin(), word.rend()}; }

// Rows such as "cafe|efac."; what follows the bar is learned.
template <class Answer>
MicroBatch batch_of(Step step, Answer answer) {
  MicroBatch batch;
  for (Index row = 0; row < rows_of_a_batch; ++row) {
    const std::string question = word(step, row) + "|", text = question + answer(word(step, row)) + ".";
    std::vector<std::uint8_t> labels(text.size(), 1);
    std::fill_n(labels.begin(), question.size(), std::uint8_t{0});
    batch.add(tokens_of(text), labels);
  }
  return batch;
}

// [loop]
template <class M, class Answer>
void train(M& model, Answer answer, const Cosine& rate) {
  const CausalLm objective;
  const AdamW optimizer;
  const BatchShape shape = shape_of(batch_of(0, answer).host());
  const Plan plan = plan_step(model, objective, optimizer, {.training = {shape}, .evaluating = {}});
  std::fputs(plan.table().c_str(), stdout);  // every byte, before the first of the step is allocated
  Session session(model, optimizer, plan);

  for (Step step = 0; step < rate.total; ++step) {
    const MicroBatch batch = batch_of(step, answer);
    begin_step(session, model, step, static_cast<double>(batch.supervised_tokens()));
    const Loss loss = forward_backward(session, model, objective, batch.host());
    const double norm = clip_gradients(session, model, 1.0);
    update(session, model, optimizer, rate(step));
    if (step % 20 == 0 || step + 1 == rate.total)
      std::printf("  step %3d  loss %.3f  gradient norm %.2f\n", static_cast<int>(step), loss.mean(), norm);
  }
}
// [/loop]

// Asks for words that training never saw; the share of answers that are right.
template <class M, class Answer>
double score(M& model, Answer answer) {
  Generator generate(model, 2 * word_length + 2);
  int right = 0;
  for (Index row = 0; row < 20; ++row) {
    const std::string question = word(1'000'000, row) + "|";
    std::string text;
    for (const TokenId token : generate(tokens_of(question), {.max_new_tokens = word_length + 1, .stop = {answer_end}}))
      text += alphabet[static_cast<std::size_t>(token)];
    right += text == answer(word(1'000'000, row));
    if (row < 3) std::printf("  %s%s\n", question.c_str(), text.c_str());
  }
  return right / 20.0;
}

}  // namespace

int main() {
  // [models]
  const Config config = read_config({{"model_type", "llama"},
                                     {"vocab_size", alphabet.size()},
                                     {"hidden_size", 64},
                                     {"num_hidden_layers", 2},
                                     {"num_attention_heads", 4},
                                     {"intermediate_size", 128}},
                                    "hello_lora");
  Decoder<Cpu<float>, Full> base(config, {});  // starts at random
  train(base, copied, {.peak = 3e-3, .warmup = 10, .total = 100});
  NewFolder base_folder("out/base", Existing::replaced);
  save_model(base, {}, base_folder.path());
  base_folder.publish();

  auto model = open_decoder<Cpu<float>>("out/base", Lora<>{.rank = 16, .alpha = 32});
  const double before = score(model, reversed);
  train(model, reversed, {.peak = 5e-3, .warmup = 10, .total = 100});
  const double after = score(model, reversed);
  NewFolder adapter_folder("out/adapter", Existing::replaced);
  save_peft(model, "out/base", adapter_folder.path());
  adapter_folder.publish();
  // [/models]
  std::printf("words written backwards: %.0f %% before, %.0f %% after\n", 100 * before, 100 * after);
  return after > before ? 0 : 1;
}
