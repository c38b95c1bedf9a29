// SPDX-License-Identifier: MIT
// One row as 'temper preview' shows it: as JSON with every id, or as text in which is seen what is learned.
#pragma once
#include <string>

#include "run_data.hpp"
#include "terminal.hpp"

namespace temper_cli {

class PreviewRows {
 public:
  PreviewRows(const temper::Dataset& rows, const temper::Tokenizer& tokenizer) : rows_(rows), tokenizer_(tokenizer) {}

  Index count() const { return static_cast<Index>(rows_.size()); }

  // {"row", "tokens", "labels", "text"}; with two of these as "chosen" and "rejected"; or with "label".
  Json json(Index row) const;
  // What is learned is coloured, or, without colour, set between double angles.
  std::string text(Index row, const Screen& screen) const;

 private:
  using Tokens = std::vector<temper::TokenId>;
  using Labels = std::vector<std::uint8_t>;
  Json sequence(const Tokens& tokens, const Labels& labels) const;
  std::string labelled_text(const Tokens& tokens, const Labels& labels, const Screen& screen) const;
  template <class AnyRow>
  std::string title(const AnyRow& row, const std::string& what, const Screen& screen) const;

  const temper::Dataset& rows_;
  const temper::Tokenizer& tokenizer_;
};

}  // namespace temper_cli
