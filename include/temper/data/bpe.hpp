// SPDX-License-Identifier: MIT
// Byte-pair encoding of one word: while a neighbouring pair has a merge, the pair whose merge was learned first is
// replaced (the leftmost of equals). Short words scan for it; long ones keep places by rank, so that a word of n bytes
// takes O(n log n) whatever it holds.
#pragma once
#include "temper/data/merge_table.hpp"
#include "temper/data/symbol_alphabet.hpp"
#include "temper/data/vocabulary.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace temper {

// What merging one word writes; one for each thread.
struct MergeScratch {
  struct Link {
    std::uint32_t previous, next;
  };
  std::vector<Symbol> symbols;
  std::vector<Link> links;
  std::vector<std::uint64_t> keys;
};

class BytePairModel {
  static constexpr TokenId no_token = -1;
  static constexpr std::uint32_t no_rank = Merge::no_rank;
  static constexpr std::size_t scanned_symbols = 256;             // up to here a scan is faster
  static constexpr std::string_view word_start = "\xe2\x96\x81";  // U+2581, which SentencePiece writes for a space

  Vocabulary vocabulary_;
  SymbolAlphabet alphabet_;
  MergeTable merges_;
  bool ignore_merges_ = false;
  bool cuts_ = false;            // whether cut() may cut
  std::vector<char32_t> joins_;  // sorted: the characters that some merge joins with a word_start after them

 public:
  struct Settings : SymbolSettings {
    bool ignore_merges = false;  // a word that is a token is taken whole
  };
  using MergeTexts = std::vector<std::pair<std::string, std::string>>;

  BytePairModel(Vocabulary&& vocabulary, const MergeTexts& merges, const Settings& settings, std::string_view source)
      : vocabulary_(std::move(vocabulary)),
        alphabet_(vocabulary_, settings, source),
        ignore_merges_(settings.ignore_merges) {
    cuts_ = settings.alphabet == WordAlphabet::characters && settings.prefix.empty() && settings.suffix.empty() &&
            !ignore_merges_ && vocabulary_.id_of(word_start).has_value();
    std::string joined;
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      const auto& [left, right] = merges[rank];
      (joined = left) += std::string_view(right).substr(std::min(settings.prefix.size(), right.size()));
      const auto left_id = vocabulary_.id_of(left), right_id = vocabulary_.id_of(right), id = vocabulary_.id_of(joined);
      if (left_id && right_id && id) {
        merges_.set(*left_id, *right_id, {static_cast<std::uint32_t>(rank), *id});
        note_join(left, *left_id, right, *right_id);
        continue;
      }
      fail(Fault::data, "tokenizer.merge",
           "{}: merge {} joins '{}' and '{}', but '{}' is not in the vocabulary; expected only tokens; {}",
           printable(source), rank, printable(left), printable(right),
           printable(!left_id    ? left
                     : !right_id ? right
                                 : joined),
           "the file was edited or cut: download it again");
    }
    std::sort(joins_.begin(), joins_.end());
    joins_.erase(std::unique(joins_.begin(), joins_.end()), joins_.end());
  }

  const Vocabulary& vocabulary() const { return vocabulary_; }

  // Calls found(begin, end) for parts of a word that can be encoded one by one: none of the merges reaches over the
  // places between them. Without a pre-tokenizer a text is one word, and this is what makes its parts come again.
  template <class Found>
  void cut(std::string_view word, const Found& found) const {
    std::size_t begin = 0;
    for (std::size_t at = 0; cuts_ && (at = word.find(word_start, at)) != std::string_view::npos;
         at += word_start.size()) {
      if (at == begin) continue;
      const char32_t before = code_point_at(word, previous_character(word, at)).value;
      if (std::binary_search(joins_.begin(), joins_.end(), before)) continue;
      found(begin, at);
      begin = at;
    }
    if (begin < word.size()) found(begin, word.size());
  }

  // Appends the tokens of a word.
  void encode(std::string_view word, MergeScratch& scratch, std::vector<WordToken>& out) const {
    if (ignore_merges_) {
      const bool bytes = alphabet_.settings().alphabet == WordAlphabet::bytes;
      if (const auto id = bytes ? vocabulary_.id_of(to_byte_characters(word)) : vocabulary_.id_of(word)) {
        out.push_back({*id, 0, static_cast<std::uint32_t>(word.size())});
        return;
      }
    }
    std::vector<Symbol>& symbols = scratch.symbols;
    alphabet_.start(word, vocabulary_, symbols);
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i)
      symbols[i].with_next = merge_of(symbols[i].id, symbols[i + 1].id);
    if (symbols.size() <= scanned_symbols)
      merge_by_scan(scratch);
    else
      merge_by_rank(scratch);
    out.insert(out.end(), symbols.begin(), symbols.end());
  }

 private:
  Merge merge_of(TokenId left, TokenId right) const {
    const Merge* const found = merges_.find(left, right);
    return found ? *found : Merge{};
  }

  void note_join(std::string_view left, TokenId left_id, std::string_view right, TokenId right_id) {
    if (alphabet_.stands_for_others(right_id) ||
        (alphabet_.stands_for_others(left_id) && right.starts_with(word_start)))
      cuts_ = false;
    if (right.starts_with(word_start) && !left.empty())
      joins_.push_back(code_point_at(left, previous_character(left, left.size())).value);
  }

  // Byte tokens may stand before an unknown one that began before them, so that ranges need not be in order.
  static void absorb(Symbol& left, const Symbol& right) {
    left.id = left.with_next.into;
    left.begin = std::min(left.begin, right.begin);
    left.end = std::max(left.end, right.end);
  }

  // Symbols form a list by links. A key has a pair's rank above its place, so that the least of all keys is the pair to
  // merge, and one pass of minima finds it.
  void merge_by_scan(MergeScratch& scratch) const {
    auto& symbols = scratch.symbols;
    auto& links = scratch.links;
    auto& keys = scratch.keys;
    const auto count = static_cast<std::uint32_t>(symbols.size());
    const auto key = [&](std::uint32_t i) { return std::uint64_t{symbols[i].with_next.rank} << 32 | i; };
    links.resize(count);
    keys.resize(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      links[i] = {i - 1, i + 1};  // count and -1 are the ends
      keys[i] = key(i);
    }
    for (;;) {
      std::uint64_t least = ~std::uint64_t{0};
      for (std::uint32_t i = 0; i < count; ++i) least = std::min(least, keys[i]);
      if (least >> 32 == no_rank) break;
      const auto place = static_cast<std::uint32_t>(least), gone = links[place].next;
      absorb(symbols[place], symbols[gone]);
      symbols[gone].id = no_token;
      keys[gone] = ~std::uint64_t{0};
      const std::uint32_t next = links[place].next = links[gone].next, previous = links[place].previous;
      if (next != count) links[next].previous = place;
      symbols[place].with_next = next == count ? Merge{} : merge_of(symbols[place].id, symbols[next].id);
      keys[place] = key(place);
      if (place == 0) continue;
      symbols[previous].with_next = merge_of(symbols[previous].id, symbols[place].id);
      keys[previous] = key(previous);
    }
    std::erase_if(symbols, [](const auto& symbol) { return symbol.id == no_token; });
  }

  // The same for many symbols. Places wait by the rank of their pair, so that the many equal pairs of a long word
  // cost one queue entry together; a place is stale when its pair has another merge by now.
  void merge_by_rank(MergeScratch& scratch) const {
    auto& symbols = scratch.symbols;
    auto& links = scratch.links;
    const auto count = static_cast<std::uint32_t>(symbols.size());
    links.resize(count);
    std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> places;
    std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> ranks;
    const auto wait = [&](std::uint32_t rank, std::uint32_t place) {
      auto& waiting = places[rank];
      if (waiting.empty()) ranks.push(rank);
      waiting.push_back(place);
    };
    for (std::uint32_t i = 0; i < count; ++i) {
      links[i] = {i - 1, i + 1};  // count and -1 are the ends
      if (symbols[i].with_next.rank != no_rank) wait(symbols[i].with_next.rank, i);
    }
    std::uint32_t lowest = no_rank;  // of the pairs that the current rank has made
    const auto refresh = [&](std::uint32_t place) {
      const std::uint32_t next = links[place].next;
      Merge& merge = symbols[place].with_next;
      merge = next == count ? Merge{} : merge_of(symbols[place].id, symbols[next].id);
      if (merge.rank == no_rank) return;
      wait(merge.rank, place);
      lowest = std::min(lowest, merge.rank);
    };
    while (!ranks.empty()) {
      const std::uint32_t rank = ranks.top();
      ranks.pop();
      const auto taken = places.extract(rank);
      std::vector<std::uint32_t>& now = taken.mapped();
      if (!std::is_sorted(now.begin(), now.end())) std::sort(now.begin(), now.end());
      lowest = no_rank;
      for (std::size_t i = 0; i < now.size(); ++i) {
        const std::uint32_t place = now[i];
        Symbol& left = symbols[place];
        if (left.id == no_token || left.with_next.rank != rank) continue;
        const std::uint32_t next = links[place].next;
        absorb(left, symbols[next]);
        symbols[next].id = no_token;
        symbols[next].with_next = {};
        links[place].next = links[next].next;
        if (links[next].next != count) links[links[next].next].previous = place;
        refresh(place);
        if (place != 0) refresh(links[place].previous);
        if (lowest > rank) continue;
        for (++i; i < now.size(); ++i) wait(rank, now[i]);  // an earlier merge comes first
      }
    }
    std::erase_if(symbols, [](const auto& symbol) { return symbol.id == no_token; });
  }
};

}  // namespace temper
