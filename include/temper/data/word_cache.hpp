// SPDX-License-Identifier: MIT
// What encoding writes and keeps between texts: above all the tokens of words met before, since most words of a text
// are few. It belongs to one thread and forgets everything when it holds more than its share of memory, or when it is
// used with another model.
#pragma once
#include "temper/data/bpe.hpp"
#include "temper/data/pre_tokenizer.hpp"

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

class WordCache {
  // A word of up to 16 bytes is its own key, of two halves that may overlap; a longer one has its hash and its place.
  struct Slot {
    std::uint64_t low = 0, high = 0;
    std::uint32_t first = 0;  // in tokens_
    TokenId id = -1;          // of the one token that stands for all of the word, if there is one
    std::uint16_t count = 0;
    std::uint8_t size = 0;  // of the word; 0 is a free slot
  };
  static constexpr std::size_t max_word_bytes = 128;
  static constexpr std::size_t max_text_bytes = 4 << 20;
  static constexpr std::size_t max_tokens = 2 << 20;
  static constexpr std::size_t max_words = 1 << 18;

  std::shared_ptr<const BytePairModel> model_;
  std::vector<Slot> slots_ = std::vector<Slot>(256);
  std::size_t used_ = 0;
  std::string texts_;
  std::vector<WordToken> tokens_;
  MergeScratch merge_scratch_;
  PreTokenizerScratch scratch_;
  std::vector<WordToken> fresh_;

 public:
  void use(const std::shared_ptr<const BytePairModel>& model) {
    if (model_ == model) return;
    clear();
    model_ = model;
  }

  PreTokenizerScratch& scratch() { return scratch_; }

  // Calls found(const WordToken&) for the tokens of a word that is not empty.
  template <class Found>
  void encode(std::string_view word, const Found& found) {
    if (word.size() > max_word_bytes) {
      fresh_.clear();
      model_->encode(word, merge_scratch_, fresh_);
      for (const WordToken& token : fresh_) found(token);
      return;
    }
    const Key key = key_of(word);
    std::size_t place = place_of(word, key);
    if (slots_[place].size == 0) place = learn(word, key);
    const Slot& slot = slots_[place];
    if (slot.id >= 0) return found(WordToken{slot.id, 0, slot.size});
    for (std::size_t i = 0; i < slot.count; ++i) found(tokens_[slot.first + i]);
  }

 private:
  struct Key {
    std::uint64_t low, high, hash;
  };

  static std::uint64_t hash_of(std::uint64_t low, std::uint64_t high, std::size_t size) {
    const auto mixed = [](std::uint64_t value) {
      value *= 0x9e3779b97f4a7c15u;
      return value ^ value >> 32;
    };
    return mixed(mixed(low ^ std::uint64_t{size} << 56) + high);
  }

  static Key key_of(std::string_view word) {
    std::uint64_t low = 0, high = 0;
    if (word.size() > 16) {
      low = std::hash<std::string_view>{}(word);
    } else if (word.size() >= 8) {
      std::memcpy(&low, word.data(), 8);
      std::memcpy(&high, word.data() + word.size() - 8, 8);
    } else if (word.size() >= 4) {
      std::uint32_t first = 0, last = 0;
      std::memcpy(&first, word.data(), 4);
      std::memcpy(&last, word.data() + word.size() - 4, 4);
      low = first | std::uint64_t{last} << 32;
    } else {
      for (std::size_t i = 0; i < word.size(); ++i) low |= std::uint64_t{static_cast<unsigned char>(word[i])} << 8 * i;
    }
    return {low, high, hash_of(low, high, word.size())};
  }

  std::size_t place_of(std::string_view word, const Key& key) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t place = static_cast<std::size_t>(key.hash) & mask;
    for (; slots_[place].size != 0; place = (place + 1) & mask) {
      const Slot& slot = slots_[place];
      if (slot.low != key.low || slot.size != word.size()) continue;
      if (word.size() > 16 ? std::string_view(texts_).substr(slot.high, slot.size) == word : slot.high == key.high)
        break;
    }
    return place;
  }

  std::size_t learn(std::string_view word, const Key& key) {
    if (texts_.size() + word.size() > max_text_bytes || tokens_.size() > max_tokens || used_ >= max_words) clear();
    if ((used_ + 1) * 2 > slots_.size()) grow();
    const std::size_t place = place_of(word, key);
    const std::size_t first = tokens_.size();
    model_->encode(word, merge_scratch_, tokens_);
    const std::size_t count = tokens_.size() - first;
    const bool whole = count == 1 && tokens_[first].begin == 0 && tokens_[first].end == word.size();
    slots_[place] = {key.low,
                     word.size() > 16 ? texts_.size() : key.high,
                     static_cast<std::uint32_t>(first),
                     whole ? tokens_[first].id : -1,
                     static_cast<std::uint16_t>(count),
                     static_cast<std::uint8_t>(word.size())};
    if (word.size() > 16) texts_ += word;
    ++used_;
    return place;
  }

  void clear() {
    slots_.assign(256, Slot{});
    used_ = 0;
    texts_.clear();
    tokens_.clear();
  }

  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    const std::size_t mask = slots_.size() - 1;
    for (const Slot& kept : old) {
      if (kept.size == 0) continue;
      std::size_t place = static_cast<std::size_t>(hash_of(kept.low, kept.size > 16 ? 0 : kept.high, kept.size)) & mask;
      while (slots_[place].size != 0) place = (place + 1) & mask;
      slots_[place] = kept;
    }
  }
};

}  // namespace temper
