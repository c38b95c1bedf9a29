// SPDX-License-Identifier: MIT
// Sees every row while a dataset is read: first as its text, then as its tokens, so that a report over all rows needs
// neither a second pass over the files nor the texts in memory. Rows come in the order of their files.
#pragma once
#include "temper/data/row_tokenizer.hpp"

#include <string>

namespace temper {

enum class Side { training, validation };

class RowObserver {
 public:
  RowObserver() = default;
  RowObserver(const RowObserver&) = delete;
  RowObserver& operator=(const RowObserver&) = delete;
  virtual ~RowObserver() = default;

  // A row as it was read, system prompt included. 'place' is its file and line.
  virtual void see(const Sample& sample, const std::string& place) = 0;
  // The same row as tokens, before those without a token to learn are dropped.
  virtual void see(Side side, const SampleTokens& tokens, RowFormat format, const std::string& file) = 0;
};

}  // namespace temper
