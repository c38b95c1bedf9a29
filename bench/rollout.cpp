// SPDX-License-Identifier: MIT
// Answers of a policy, three ways in one run: the batched generator with its cache of keys and values; the same where
// all answers are to one prompt, which is then read once; and a plain loop that reads prompt and answer anew for every
// token, one answer after the other. Shapes of Qwen2.5-0.5B's layers, random weights, LoRA of rank 16. A line a length
// of the prompt: medians, tokens/s of answers, ratios, and by how much the layers' rows differ.
//   rollout [rounds] [threads] [layers] [answers] [new tokens]
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "small_qwen.hpp"
#include "temper/model/rollout.hpp"

using namespace temper;

namespace {

using B = Cpu<float>;
using M = Decoder<B, Lora<>>;

struct Work {
  double seconds = 0;
  Index rows = 0;  // that went through the layers
};

template <class F>
Work timed(F&& answer) {
  const auto start = std::chrono::steady_clock::now();
  Work work = answer();
  work.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return work;
}

// Every token by a generator that forgets: it is given prompt and answer so far.
Work plainly(Rollouts<M>& forgetful, std::span<const RolloutPrompt> prompts, Index new_tokens) {
  Work work;
  for (const RolloutPrompt& prompt : prompts) {
    std::vector<TokenId> text(prompt.tokens.begin(), prompt.tokens.end());
    for (Index t = 0; t < new_tokens; ++t) {
      const std::array<RolloutPrompt, 1> one = {{{text, prompt.number}}};
      text.push_back(forgetful(one, {.max_new_tokens = 1})[0].tokens[0]);
      work.rows += forgetful.tokens_read();
    }
  }
  return work;
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int at, Index otherwise) { return argc > at ? std::atol(argv[at]) : otherwise; };
  const Index rounds = argument(1, 5), answers = argument(4, 16), new_tokens = argument(5, 64);
  M model(bench::small_qwen(argument(3, 6)), Lora<>{.rank = 16, .alpha = 32});
  B::Stream stream(static_cast<int>(argument(2, 0)));
  std::printf("%8s %10s %10s %10s %12s %12s %12s %14s %14s\n", "prompt", "plain s", "cache s", "one prompt",
              "plain tok/s", "cache tok/s", "one prompt", "cache/plain", "one/cache");
  for (const Index length : {16, 64, 256}) {
    const Random random{7, random_site("bench"), 0};
    std::vector<TokenId> tokens;
    for (Index t = 0; t < answers * length; ++t)
      tokens.push_back(static_cast<TokenId>(random.below(static_cast<std::uint64_t>(t), bench::small_vocabulary)));
    std::vector<RolloutPrompt> apart, one;
    for (Index i = 0; i < answers; ++i) {
      const auto part = [&](Index at) {
        return std::span<const TokenId>(tokens).subspan(static_cast<std::size_t>(at * length),
                                                        static_cast<std::size_t>(length));
      };
      apart.push_back({part(i), static_cast<std::uint32_t>(i)});
      one.push_back({part(0), static_cast<std::uint32_t>(i)});
    }
    const RolloutSettings settings{.max_new_tokens = new_tokens};
    Rollouts<M> rollouts(model, stream, {.sequences = answers, .places = length + new_tokens});
    Rollouts<M> forgetful(model, stream, {.sequences = 1, .places = length + new_tokens});
    const auto with_cache = [&](std::span<const RolloutPrompt> prompts) {
      return timed([&] {
        rollouts(prompts, settings);
        return Work{.rows = rollouts.tokens_read()};
      });
    };
    std::vector<double> plain, cached, shared;
    Work a, b, c;
    with_cache(apart);
    for (Index round = 0; round < rounds; ++round) {
      // A plain loop is slow and steady: two answers stand for all.
      a = timed([&] { return plainly(forgetful, std::span(apart).first(2), new_tokens); });
      b = with_cache(apart), c = with_cache(one);
      plain.push_back(a.seconds * static_cast<double>(answers) / 2);
      cached.push_back(b.seconds), shared.push_back(c.seconds);
    }
    a.rows *= answers / 2;
    const auto count = static_cast<double>(answers * new_tokens);
    const auto ratio = [](Index more, Index less) { return static_cast<double>(more) / static_cast<double>(less); };
    std::printf("%8ld %10.2f %10.3f %10.3f %12.1f %12.1f %12.1f %6.1f of %4.1f %6.2f of %4.2f\n", length,
                bench::median(plain), bench::median(cached), bench::median(shared), count / bench::median(plain),
                count / bench::median(cached), count / bench::median(shared),
                bench::median(plain) / bench::median(cached), ratio(a.rows, b.rows),
                bench::median(cached) / bench::median(shared), ratio(b.rows, c.rows));
    std::fflush(stdout);
  }
}
