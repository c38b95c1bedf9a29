// SPDX-License-Identifier: MIT
// Tokens that are found in the text before it is cut into words: the longest of the leftmost matches, with the
// conditions single_word, lstrip and rstrip. Those that are not 'normalized' are looked for in the text as it is
// written, the others after normalization.
#pragma once
#include "temper/data/normalizer.hpp"
#include "temper/data/text_pattern.hpp"
#include "temper/data/text_span.hpp"
#include "temper/data/tokenizer_part.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

struct AddedToken {
  std::string content;
  TokenId id = 0;
  bool single_word = false;  // not beside a letter or digit
  bool lstrip = false;       // takes white space on its left
  bool rstrip = false;
  bool normalized = false;  // matched after normalization
  bool special = false;     // decode may leave it out
};

// Finds tokens in one text. An index of the first byte and a sorted list take the place of a trie.
class AddedTokenFinder {
  struct Needle {
    std::string text;
    std::size_t token;
  };
  struct Range {
    std::uint32_t begin = 0, end = 0;
  };
  std::vector<Needle> needles_;             // sorted by text
  std::array<Range, 256> by_first_byte_{};  // in needles_

 public:
  static constexpr std::size_t max_text_bytes = 1024;

  // The first of equal texts counts.
  void set(std::vector<std::pair<std::string, std::size_t>>&& texts) {
    std::stable_sort(texts.begin(), texts.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [text, token] : texts) {
      if (text.empty() || (!needles_.empty() && needles_.back().text == text)) continue;
      needles_.push_back({std::move(text), token});
      Range& range = by_first_byte_[static_cast<unsigned char>(needles_.back().text[0])];
      if (range.end == 0) range.begin = static_cast<std::uint32_t>(needles_.size() - 1);
      range.end = static_cast<std::uint32_t>(needles_.size());
    }
  }

  bool empty() const { return needles_.empty(); }

  struct Match {
    std::size_t begin, end, token;
  };

  std::optional<Match> next(std::string_view text, std::size_t from) const {
    for (std::size_t at = from; at < text.size(); ++at) {
      Range range = by_first_byte_[static_cast<unsigned char>(text[at])];
      std::optional<Match> longest;
      // needles_[range] all agree with the text in their first 'depth' bytes.
      for (std::size_t depth = 1; range.begin < range.end; ++depth) {
        const Needle& first = needles_[range.begin];
        if (first.text.size() == depth) {
          longest = Match{at, at + depth, first.token};
          ++range.begin;
        }
        if (at + depth == text.size()) break;
        range = narrowed(range, depth, static_cast<unsigned char>(text[at + depth]));
      }
      if (longest) return longest;
    }
    return std::nullopt;
  }

 private:
  Range narrowed(Range range, std::size_t depth, unsigned char byte) const {
    const auto at = [&](const Needle& needle) { return static_cast<unsigned char>(needle.text[depth]); };
    const auto first = needles_.begin() + range.begin, last = needles_.begin() + range.end;
    const auto low = std::partition_point(first, last, [&](const Needle& needle) { return at(needle) < byte; });
    const auto high = std::partition_point(low, last, [&](const Needle& needle) { return at(needle) == byte; });
    return {static_cast<std::uint32_t>(low - needles_.begin()), static_cast<std::uint32_t>(high - needles_.begin())};
  }
};

enum class AddedTokenStage { as_written, normalized };

class AddedTokens {
  std::vector<AddedToken> tokens_;
  AddedTokenFinder as_written_, normalized_;
  std::optional<TextPattern> word_;  // a letter, mark, digit or connector: what single_word must not stand beside

 public:
  static constexpr std::size_t max_tokens = 1 << 17;

  struct Piece {
    Index begin, end;
    const AddedToken* token;  // null: plain text
  };

  AddedTokens() = default;
  AddedTokens(std::vector<AddedToken>&& tokens, const Normalizer& normalizer) : tokens_(std::move(tokens)) {
    std::vector<std::pair<std::string, std::size_t>> written, normal;
    PatternScratch scratch;
    for (const bool special : {true, false}) {  // equal texts after normalization: special ones come first
      for (std::size_t i = 0; i < tokens_.size(); ++i) {
        const AddedToken& token = tokens_[i];
        if (token.special != special) continue;
        if (!token.normalized) {
          written.emplace_back(token.content, i);
        } else {
          const auto changed = normalizer(token.content, scratch);
          normal.emplace_back(changed ? changed->text() : token.content, i);
        }
        if (token.single_word && !word_)
          word_ = TextPattern::pcre(R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}])");
      }
    }
    as_written_.set(std::move(written));
    normalized_.set(std::move(normal));
  }

  const std::vector<AddedToken>& tokens() const { return tokens_; }

  // Calls found(Piece) for all of 'text', in order. Plain pieces are not empty.
  template <class Found>
  void split(AddedTokenStage stage, std::string_view text, PatternScratch& scratch, const Found& found) const {
    const AddedTokenFinder& finder = stage == AddedTokenStage::as_written ? as_written_ : normalized_;
    std::size_t covered = 0;
    const auto plain = [&](std::size_t end) {
      if (covered < end) found(Piece{static_cast<Index>(covered), static_cast<Index>(end), nullptr});
    };
    if (!finder.empty()) {
      for (std::size_t from = 0; const auto match = finder.next(text, from);) {
        from = match->end;
        const AddedToken& token = tokens_[match->token];
        std::size_t begin = match->begin, end = match->end;
        if (token.single_word && !stands_alone(text, begin, end, scratch)) continue;
        if (token.lstrip) {
          while (begin > covered) {
            const std::size_t before = previous_character(text, begin);
            if (before < covered || !is_white_space(code_point_at(text, before).value)) break;
            begin = before;
          }
        }
        while (token.rstrip && end < text.size()) {
          const CodePoint c = code_point_at(text, end);
          if (!is_white_space(c.value)) break;
          end += c.length;
        }
        plain(begin);
        found(Piece{static_cast<Index>(begin), static_cast<Index>(end), &token});
        covered = end;
      }
    }
    plain(text.size());
  }

 private:
  bool stands_alone(std::string_view text, std::size_t begin, std::size_t end, PatternScratch& scratch) const {
    const auto is_word = [&](std::size_t at) {
      bool found = false;
      word_->for_each(text.substr(at, code_point_at(text, at).length), scratch, [&](Index, Index) { found = true; });
      return found;
    };
    return (begin == 0 || !is_word(previous_character(text, begin))) && (end == text.size() || !is_word(end));
  }
};

}  // namespace temper
