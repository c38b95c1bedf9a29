// SPDX-License-Identifier: MIT
// Token texts and their ids, both ways. Ids are unique and not negative; holes are allowed.
#pragma once
#include "temper/core/error.hpp"
#include "temper/core/types.hpp"
#include "temper/io/printable.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

class Vocabulary {
  std::vector<std::string> texts_;
  std::vector<TokenId> ids_;             // of each text
  std::vector<std::int32_t> by_id_;      // place in texts_, -1 for a hole
  std::vector<std::int32_t> slots_{-1};  // open addressing by text; a power of two

 public:
  static constexpr std::size_t max_tokens = std::size_t{1} << 22;
  static constexpr std::size_t max_token_bytes = 16 << 10;

  Index highest() const { return static_cast<Index>(by_id_.size()) - 1; }  // -1 when empty
  std::size_t size() const { return texts_.size(); }

  std::optional<TokenId> id_of(std::string_view text) const {
    const std::int32_t at = slots_[slot_of(text)];
    return at < 0 ? std::nullopt : std::optional<TokenId>(ids_[static_cast<std::size_t>(at)]);
  }

  // Null for an id that nothing has.
  const std::string* text_of(TokenId id) const {
    if (id < 0 || static_cast<std::size_t>(id) >= by_id_.size()) return nullptr;
    const std::int32_t at = by_id_[static_cast<std::size_t>(id)];
    return at < 0 ? nullptr : &texts_[static_cast<std::size_t>(at)];
  }

  void add(std::string&& text, std::int64_t id, std::string_view source) {
    require(texts_.size() < max_tokens && text.size() <= max_token_bytes, Fault::data, "tokenizer.too_large",
            "{}: token '{}' of {} bytes is number {}; expected at most {} tokens of at most {} bytes",
            printable(source), printable(text), text.size(), texts_.size() + 1, max_tokens, max_token_bytes);
    require(id >= 0 && id < static_cast<std::int64_t>(max_tokens), Fault::data, "tokenizer.vocabulary",
            "{}: token '{}' has id {}; expected 0 to {}; download the file again", printable(source), printable(text),
            id, max_tokens - 1);
    const auto place = static_cast<std::size_t>(id);
    if (by_id_.size() <= place) by_id_.resize(place + 1, -1);
    require(by_id_[place] < 0, Fault::data, "tokenizer.vocabulary",
            "{}: tokens '{}' and '{}' both have id {}; expected an id each; download the file again", printable(source),
            by_id_[place] < 0 ? "" : printable(texts_[static_cast<std::size_t>(by_id_[place])]), printable(text), id);
    if ((texts_.size() + 1) * 2 > slots_.size()) grow();
    const std::size_t slot = slot_of(text);
    require(slots_[slot] < 0, Fault::data, "tokenizer.vocabulary",
            "{}: token '{}' stands twice; expected each token once; download the file again", printable(source),
            printable(text));
    slots_[slot] = by_id_[place] = static_cast<std::int32_t>(texts_.size());
    texts_.push_back(std::move(text));
    ids_.push_back(static_cast<TokenId>(id));
  }

 private:
  // The slot that has 'text', or the free one where it would go.
  std::size_t slot_of(std::string_view text) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = std::hash<std::string_view>{}(text)&mask;
    while (slots_[slot] >= 0 && texts_[static_cast<std::size_t>(slots_[slot])] != text) slot = (slot + 1) & mask;
    return slot;
  }

  void grow() {
    slots_.assign(slots_.size() < 64 ? 64 : slots_.size() * 4, -1);
    for (std::size_t i = 0; i < texts_.size(); ++i) slots_[slot_of(texts_[i])] = static_cast<std::int32_t>(i);
  }
};

}  // namespace temper
