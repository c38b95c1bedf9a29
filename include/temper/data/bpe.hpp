// SPDX-License-Identifier: MIT
// Byte-pair encoding of one word: while a neighbouring pair has a merge, the pair whose merge was learned first is
// replaced (the leftmost of equals). Short words scan for it; long ones keep places by rank, so that a word of n bytes
// takes O(n log n) whatever it holds.
#pragma once
#include "temper/data/byte_level.hpp"
#include "temper/data/vocabulary.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace temper {

struct WordToken {
  TokenId id;
  std::uint32_t begin, end;  // bytes of the word
};

struct Merge {
  std::uint32_t rank;
  TokenId into;
};

// Merges by pair of ids: open addressing, at most half full.
class MergeTable {
  struct Slot {
    std::uint64_t pair;
    Merge merge;
  };
  static constexpr std::uint64_t free_slot = ~std::uint64_t{0};  // ids are not negative, so no pair is this
  std::vector<Slot> slots_{{free_slot, {}}};
  std::size_t used_ = 0;

 public:
  const Merge* find(TokenId left, TokenId right) const {
    const Slot& slot = slots_[slot_of(pair_of(left, right))];
    return slot.pair == free_slot ? nullptr : &slot.merge;
  }

  // A later merge of the same pair replaces the earlier.
  void set(TokenId left, TokenId right, Merge merge) {
    if ((used_ + 1) * 2 > slots_.size()) grow();
    Slot& slot = slots_[slot_of(pair_of(left, right))];
    if (slot.pair == free_slot) ++used_;
    slot = {pair_of(left, right), merge};
  }

 private:
  static std::uint64_t pair_of(TokenId left, TokenId right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  }
  std::size_t slot_of(std::uint64_t pair) const {
    const std::size_t mask = slots_.size() - 1;
    std::uint64_t mixed = pair * 0x9e3779b97f4a7c15u;
    mixed ^= mixed >> 32;
    std::size_t slot = static_cast<std::size_t>(mixed) & mask;
    while (slots_[slot].pair != free_slot && slots_[slot].pair != pair) slot = (slot + 1) & mask;
    return slot;
  }
  void grow() {
    std::vector<Slot> old(slots_.size() < 64 ? 64 : slots_.size() * 2, Slot{free_slot, {}});
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.pair != free_slot) slots_[slot_of(slot.pair)] = slot;
  }
};

// What merging one word writes; one for each thread.
struct MergeScratch {
  struct Symbol {
    TokenId id;
    std::uint32_t begin, end;
    Merge with_next;
  };
  struct Link {
    std::uint32_t previous, next;
  };
  std::vector<Symbol> symbols;
  std::vector<Link> links;
};

class BytePairModel {
  static constexpr std::uint32_t no_rank = std::numeric_limits<std::uint32_t>::max();
  static constexpr TokenId no_token = -1;
  static constexpr std::size_t scanned_symbols = 48;  // up to here a scan is faster

  Vocabulary vocabulary_;
  MergeTable merges_;
  std::array<TokenId, 256> byte_tokens_{};
  bool ignore_merges_ = false;
  bool fuse_unknown_ = false;
  TokenId unknown_ = no_token;

 public:
  struct Settings {
    bool ignore_merges = false;  // a word that is a token is taken whole
    bool fuse_unknown = false;
    std::optional<std::string> unknown_token{};
  };
  using MergeTexts = std::vector<std::pair<std::string, std::string>>;

  BytePairModel(Vocabulary&& vocabulary, const MergeTexts& merges, const Settings& settings, std::string_view source)
      : vocabulary_(std::move(vocabulary)),
        ignore_merges_(settings.ignore_merges),
        fuse_unknown_(settings.fuse_unknown) {
    if (settings.unknown_token) {
      const auto id = vocabulary_.id_of(*settings.unknown_token);
      require(id.has_value(), Fault::data, "tokenizer.vocabulary",
              "{}: model.unk_token '{}' is not in the vocabulary; expected one of its tokens; {}", printable(source),
              printable(*settings.unknown_token), "download the file again");
      unknown_ = *id;
    }
    for (std::size_t byte = 0; byte < 256; ++byte) {
      std::string character;
      append_code_point(character, byte_characters[byte]);
      byte_tokens_[byte] = vocabulary_.id_of(character).value_or(no_token);
    }
    std::string joined;
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      const auto& [left, right] = merges[rank];
      (joined = left) += right;
      const auto left_id = vocabulary_.id_of(left), right_id = vocabulary_.id_of(right), id = vocabulary_.id_of(joined);
      if (left_id && right_id && id) {
        merges_.set(*left_id, *right_id, {static_cast<std::uint32_t>(rank), *id});
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
  }

  const Vocabulary& vocabulary() const { return vocabulary_; }

  // Appends the tokens of a word. A byte without a token becomes the unknown token, or nothing when there is none.
  void encode(std::string_view word, MergeScratch& scratch, std::vector<WordToken>& out) const {
    if (ignore_merges_) {
      if (const auto id = vocabulary_.id_of(to_byte_characters(word))) {
        out.push_back({*id, 0, static_cast<std::uint32_t>(word.size())});
        return;
      }
    }
    start(word, scratch.symbols);
    if (scratch.symbols.size() <= scanned_symbols)
      merge_by_scan(scratch.symbols);
    else
      merge_by_rank(scratch);
    for (const auto& symbol : scratch.symbols) out.push_back({symbol.id, symbol.begin, symbol.end});
  }

 private:
  Merge merge_of(TokenId left, TokenId right) const {
    const Merge* const found = merges_.find(left, right);
    return found ? *found : Merge{no_rank, no_token};
  }

  void start(std::string_view word, std::vector<MergeScratch::Symbol>& symbols) const {
    symbols.clear();
    bool last_unknown = false;
    for (std::size_t at = 0; at < word.size(); ++at) {
      const auto begin = static_cast<std::uint32_t>(at);
      const TokenId known = byte_tokens_[static_cast<unsigned char>(word[at])];
      if (known == no_token && last_unknown && fuse_unknown_ && unknown_ != no_token) {
        symbols.back().end = begin + 1;
        continue;
      }
      last_unknown = known == no_token;
      const TokenId id = last_unknown ? unknown_ : known;
      if (id != no_token) symbols.push_back({id, begin, begin + 1, {no_rank, no_token}});
    }
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i)
      symbols[i].with_next = merge_of(symbols[i].id, symbols[i + 1].id);
  }

  void merge_by_scan(std::vector<MergeScratch::Symbol>& symbols) const {
    const auto earlier = [](const auto& a, const auto& b) { return a.with_next.rank < b.with_next.rank; };
    while (symbols.size() > 1) {
      const auto best = std::min_element(symbols.begin(), symbols.end(), earlier);
      if (best->with_next.rank == no_rank) return;
      best->id = best->with_next.into;
      best->end = (best + 1)->end;
      symbols.erase(best + 1);
      best->with_next = best + 1 == symbols.end() ? Merge{no_rank, no_token} : merge_of(best->id, (best + 1)->id);
      if (best != symbols.begin()) (best - 1)->with_next = merge_of((best - 1)->id, best->id);
    }
  }

  // Symbols form a list by links. Places wait by the rank of their pair, so that the many equal pairs of a long word
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
      merge = next == count ? Merge{no_rank, no_token} : merge_of(symbols[place].id, symbols[next].id);
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
        MergeScratch::Symbol& left = symbols[place];
        if (left.id == no_token || left.with_next.rank != rank) continue;
        const std::uint32_t next = links[place].next;
        left.id = left.with_next.into;
        left.end = symbols[next].end;
        symbols[next].id = no_token;
        symbols[next].with_next = {no_rank, no_token};
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
