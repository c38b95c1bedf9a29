// SPDX-License-Identifier: MIT
// Answers to prompts as what a policy learns from: packed in micro-batches, each with its prompt, and what a step made
// of them.
#pragma once
#include <algorithm>
#include <span>
#include <vector>

#include "temper/data/micro_batch.hpp"

namespace temper {

struct Answer {
  std::vector<TokenId> prompt, response;
  bool stopped = true;  // by its end token, which belongs to the response
};

// Prompts and responses as they are; the responses are supervised.
inline MicroBatch batch_of_answers(std::span<const Answer> answers, std::span<const Index> which) {
  MicroBatch batch;
  std::vector<TokenId> tokens;
  std::vector<std::uint8_t> labels;
  for (const Index i : which) {
    const Answer& answer = answers[static_cast<std::size_t>(i)];
    require(!answer.prompt.empty() && !answer.response.empty(), Fault::usage, "ppo.empty",
            "answer {} has a prompt of {} tokens and a response of {}; expected one at least in each", i,
            answer.prompt.size(), answer.response.size());
    tokens = answer.prompt;
    tokens.insert(tokens.end(), answer.response.begin(), answer.response.end());
    labels.assign(answer.prompt.size(), 0);
    labels.resize(tokens.size(), 1);
    batch.add(tokens, labels);
    batch.rows.push_back(i);
  }
  return batch;
}

// Calls visit(indices) for each micro-batch of at most so many answers.
template <class Visit>
void over_answers(std::span<const Index> which, Index batch_size, Visit&& visit) {
  for (std::size_t begin = 0; begin < which.size(); begin += static_cast<std::size_t>(batch_size))
    visit(which.subspan(begin, std::min(static_cast<std::size_t>(batch_size), which.size() - begin)));
}

struct PpoStepMetrics {
  double loss = 0, grad_norm = 0, ratio = 0, clip_fraction = 0, value_loss = 0;  // means over updates
  double kl = 0;                                                                 // mean over answers of the summed k1
  double kl_coefficient = 0;                                                     // that rewards were made with
  double entropy = 0;                                                            // mean over response tokens
  double reward = 0;                                                             // mean over answers, with the penalty
  Index updates = 0, tokens = 0;                                                 // of responses
};

}  // namespace temper
