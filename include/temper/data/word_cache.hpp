// SPDX-License-Identifier: MIT
// The tokens of words met before, since most words of a text are few. It belongs to one thread and forgets everything
// when it holds more than its share of memory, or when it is used with another model.
#pragma once
#include "temper/data/bpe.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

class WordCache {
  struct Slot {
    std::size_t hash = 0;
    std::uint32_t text = 0, size = 0;    // in texts_; size 0 is a free slot
    std::uint32_t first = 0, count = 0;  // in tokens_
  };
  static constexpr std::size_t max_word_bytes = 128;
  static constexpr std::size_t max_text_bytes = 4 << 20;

  std::shared_ptr<const BytePairModel> model_;
  std::vector<Slot> slots_ = std::vector<Slot>(256);
  std::size_t used_ = 0;
  std::string texts_;
  std::vector<WordToken> tokens_;
  MergeScratch scratch_;
  std::vector<WordToken> fresh_;

 public:
  void use(const std::shared_ptr<const BytePairModel>& model) {
    if (model_ == model) return;
    clear();
    model_ = model;
  }

  // The tokens of a word that is not empty, until the next call.
  std::span<const WordToken> encode(std::string_view word) {
    if (word.size() > max_word_bytes) {
      fresh_.clear();
      model_->encode(word, scratch_, fresh_);
      return fresh_;
    }
    const std::size_t hash = std::hash<std::string_view>{}(word);
    std::size_t slot = slot_of(word, hash);
    if (slots_[slot].size == 0) {
      if (texts_.size() + word.size() > max_text_bytes) clear();
      if ((used_ + 1) * 2 > slots_.size()) grow();
      slot = slot_of(word, hash);
      const auto first = static_cast<std::uint32_t>(tokens_.size());
      model_->encode(word, scratch_, tokens_);
      slots_[slot] = {hash, static_cast<std::uint32_t>(texts_.size()), static_cast<std::uint32_t>(word.size()), first,
                      static_cast<std::uint32_t>(tokens_.size()) - first};
      texts_ += word;
      ++used_;
    }
    return std::span(tokens_).subspan(slots_[slot].first, slots_[slot].count);
  }

 private:
  std::size_t slot_of(std::string_view word, std::size_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = hash & mask;
    for (; slots_[slot].size != 0; slot = (slot + 1) & mask)
      if (slots_[slot].hash == hash && std::string_view(texts_).substr(slots_[slot].text, slots_[slot].size) == word)
        break;
    return slot;
  }

  void clear() {
    slots_.assign(256, Slot{});
    used_ = 0;
    texts_.clear();
    tokens_.clear();
  }

  void grow() {
    std::vector<Slot> old(slots_.size() * 4);
    old.swap(slots_);
    const std::size_t mask = slots_.size() - 1;
    for (const Slot& kept : old) {
      if (kept.size == 0) continue;
      std::size_t slot = kept.hash & mask;
      while (slots_[slot].size != 0) slot = (slot + 1) & mask;
      slots_[slot] = kept;
    }
  }
};

}  // namespace temper
