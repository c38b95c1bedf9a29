// SPDX-License-Identifier: MIT
// Does each row teach the model to stop, and does it begin once? A row teaches an end when one of its learned tokens is
// where generation stops (Tokenizer::end_ids), or at least another special token, such as a template's end of turn.
#pragma once
#include "temper/data/report/finding.hpp"
#include "temper/data/report/row_view.hpp"
#include "temper/data/tokenizer.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace temper {

class TurnEnds {
 public:
  explicit TurnEnds(const Tokenizer& tokenizer) : begin_(tokenizer.bos()), ends_(tokenizer.end_ids()) {
    for (const AddedToken& token : tokenizer.added_tokens())
      if (token.special) special_.emplace(token.id, token.content);
  }

  bool has_end() const { return !ends_.empty(); }

  void see(const Dataset& dataset, const RowView& row) {
    bool is_twice = false, is_open = false;
    const std::string* other = nullptr;
    for (const RowView::Part& part : row.sequences()) {
      is_twice =
          is_twice || (begin_ && part.tokens.size() > 1 && part.tokens[0] == *begin_ && part.tokens[1] == *begin_);
      if (part.labels.empty()) continue;
      const std::string* substitute = nullptr;
      bool ended = false;
      for (std::size_t i = 0; i < part.tokens.size() && !ended; ++i) {
        if (part.labels[i] == 0) continue;
        ended = std::find(ends_.begin(), ends_.end(), part.tokens[i]) != ends_.end();
        if (const auto found = special_.find(part.tokens[i]); found != special_.end()) substitute = &found->second;
      }
      if (ended) continue;
      if (substitute)
        other = substitute;
      else
        is_open = true;
    }
    if (is_twice) begun_twice_.add(dataset.place(row));
    if (is_open) {
      without_end_.add(dataset.place(row));
      cut_ += row.truncated ? 1 : 0;
    } else if (other) {
      if (other_end_.count() == 0) other_token_ = *other;
      other_end_.add(dataset.place(row));
    }
  }

  const FoundPlaces& begun_twice() const { return begun_twice_; }
  const FoundPlaces& without_end() const { return without_end_; }
  Index cut() const { return cut_; }                               // of those without an end
  const FoundPlaces& other_end() const { return other_end_; }      // that end with another special token alone
  const std::string& other_token() const { return other_token_; }  // the first such

 private:
  std::optional<TokenId> begin_;
  std::vector<TokenId> ends_;
  std::map<TokenId, std::string> special_;
  FoundPlaces begun_twice_, without_end_, other_end_;
  Index cut_ = 0;
  std::string other_token_;
};

}  // namespace temper
