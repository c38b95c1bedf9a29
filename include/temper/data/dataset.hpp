// SPDX-License-Identifier: MIT
// The rows of a run as tokens, each with its place, and what was cut or dropped on the way. What a row has depends on
// its format: one sequence to be predicted; two of which one is preferred; one with a label; or one to be answered.
#pragma once
#include "temper/data/label_set.hpp"
#include "temper/data/order.hpp"

#include <string>
#include <utility>
#include <vector>

namespace temper {

struct Row {
  std::vector<TokenId> tokens;
  std::vector<std::uint8_t> labels;  // 1: this token is predicted; never the first
  Index number = 1;                  // in its files, from 1, conversations grouped
  Index file = 0;                    // in Dataset::files
  Index line = 1;
  bool truncated = false;
};

struct TokenSequence {
  std::vector<TokenId> tokens;
  std::vector<std::uint8_t> labels;  // as in Row: 1 in the completion only
};

struct PreferenceRow {
  TokenSequence chosen, rejected;  // both with the prompt
  Index number = 1, file = 0, line = 1;
  bool truncated = false;  // one of them, or both
};

struct ClassificationRow {
  std::vector<TokenId> tokens;
  std::vector<Index> classes;  // ascending, in LabelSet::names: one; with multi_label any number
  double value = 0;            // with regression
  Index number = 1, file = 0, line = 1;
  bool truncated = false;
};

// A prompt up to where its answer begins. Never cut.
struct PromptRow {
  std::vector<TokenId> tokens;
  std::string expected;  // the right answer, where the row says one
  Index number = 1, file = 0, line = 1;
  bool truncated = false;  // never: a prompt that is too long is dropped
};

struct Dataset {
  std::vector<Row> rows;  // in file order; of the next four one at most has elements, as the format is
  std::vector<PreferenceRow> preferences;
  std::vector<ClassificationRow> classifications;
  std::vector<PromptRow> prompts;
  LabelSet labels;  // of classifications: those of all training rows, held out or not
  std::vector<std::string> files;
  RowFormat format = RowFormat::text;  // what 'auto' decided
  Index truncated = 0;
  std::vector<std::string> dropped;  // file:line of each

  std::size_t size() const { return rows.size() + preferences.size() + classifications.size() + prompts.size(); }

  // Calls visit(tokens, labels) for each sequence of a row, counted from 0: a preference row has two, chosen and then
  // rejected. Classification rows and prompts have no labels of their own: nothing of them is predicted.
  template <class Visit>
  void for_each_sequence(Index row, Visit visit) const {
    const auto at = static_cast<std::size_t>(row);
    if (!rows.empty()) return visit(rows[at].tokens, rows[at].labels);
    const auto unlabelled = [&](const std::vector<TokenId>& tokens) {
      visit(tokens, std::vector<std::uint8_t>(tokens.size(), 0));
    };
    if (!classifications.empty()) return unlabelled(classifications[at].tokens);
    if (!prompts.empty()) return unlabelled(prompts[at].tokens);
    visit(preferences[at].chosen.tokens, preferences[at].chosen.labels);
    visit(preferences[at].rejected.tokens, preferences[at].rejected.labels);
  }

  template <class AnyRow>
  std::string place(const AnyRow& row) const {
    return fmt::format("{}:{}", files[static_cast<std::size_t>(row.file)], row.line);
  }
};

// Rows that stand on both sides of the split, token for token: what validation says about them is not to be trusted.
struct Overlap {
  Index rows = 0;                                           // of validation
  std::vector<std::pair<std::string, std::string>> places;  // of the first few: in validation, in training
};

struct DatasetPair {
  Dataset train, validation;  // validation may be empty
  Overlap overlap;
};

}  // namespace temper
