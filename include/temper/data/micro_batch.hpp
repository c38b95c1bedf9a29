// SPDX-License-Identifier: MIT
// One stream of documents for one pass through the model, made from rows of tokens. Owns what a HostBatch views.
#pragma once
#include <algorithm>
#include <span>
#include <vector>

#include "temper/core/error.hpp"
#include "temper/model/batch.hpp"

namespace temper {

struct MicroBatch {
  std::vector<TokenId> tokens;
  std::vector<TokenId> targets;           // the next token; 0 at the end of a document, where nothing is predicted
  std::vector<std::uint8_t> supervised;   // 1: this position's prediction counts
  std::vector<Index> document_starts{0};  // documents + 1 offsets
  Prompts prompts = Prompts::apart;       // shared: documents 2p and 2p + 1 are a pair
  std::vector<Index> rows;                // of the dataset: which rows the documents are
  std::vector<double> score_labels;       // of classification: [documents * outputs], or empty

  // A document. labels[i] = 1: token i is to be predicted, which happens at position i - 1; hence labels[0] says
  // nothing.
  void add(std::span<const TokenId> row, std::span<const std::uint8_t> labels) {
    require(!row.empty() && row.size() == labels.size(), Fault::usage, "micro_batch.row",
            "a row has {} tokens and {} labels; expected a label for each token, and a token at least", row.size(),
            labels.size());
    tokens.insert(tokens.end(), row.begin(), row.end());
    targets.insert(targets.end(), row.begin() + 1, row.end());
    targets.push_back(0);
    supervised.insert(supervised.end(), labels.begin() + 1, labels.end());
    supervised.push_back(0);
    document_starts.push_back(std::ssize(tokens));
  }

  // What of a document is to be classified: one number for each output, 1 for true classes, or the value.
  void label(std::span<const double> outputs) {
    score_labels.insert(score_labels.end(), outputs.begin(), outputs.end());
  }

  // Of a classification: its documents.
  Index supervised_tokens() const {
    if (!score_labels.empty()) return std::ssize(document_starts) - 1;
    return static_cast<Index>(std::count(supervised.begin(), supervised.end(), std::uint8_t{1}));
  }
  HostBatch host() const {
    HostBatch batch{tokens, targets, supervised, document_starts};
    batch.prompts = prompts;
    batch.labels = score_labels;
    return batch;
  }
};

}  // namespace temper
