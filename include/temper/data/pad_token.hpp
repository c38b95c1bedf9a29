// SPDX-License-Identifier: MIT
// A token for the padding of a classifier. transformers classifies the last token that is not this one, so it must not
// be one that ends texts; with none of their own, tokenizers have special tokens that no text holds.
#pragma once
#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "temper/data/tokenizer.hpp"

namespace temper {

// The configuration's own, the tokenizer's own, one that is made for padding, the unknown one, any special one; else an
// id of the model that the tokenizer does not write, and last of all the start of texts.
inline TokenId padding_token(const Json& config, const Tokenizer& tokenizer, Index vocabulary) {
  std::vector<TokenId> ends = tokenizer.end_ids();
  const auto add_end = [&](const Json& id) {
    if (id.is_number_integer() && id >= 0 && id < vocabulary) ends.push_back(id.get<TokenId>());
  };
  if (const auto stated = config.find("eos_token_id"); stated != config.end()) {
    if (stated->is_array())
      for (const Json& id : *stated) add_end(id);
    else
      add_end(*stated);
  }
  const auto fits = [&](TokenId id) {
    return id >= 0 && id < vocabulary && std::find(ends.begin(), ends.end(), id) == ends.end();
  };
  const auto stated = config.find("pad_token_id");
  if (stated != config.end() && stated->is_number_integer() && *stated >= 0 && *stated < vocabulary &&
      fits(stated->get<TokenId>()))
    return stated->get<TokenId>();
  if (const auto pad = tokenizer.pad(); pad && fits(*pad)) return *pad;
  const auto special = [&](auto&& wanted) -> std::optional<TokenId> {
    for (const AddedToken& token : tokenizer.added_tokens())
      if (token.special && fits(token.id) && wanted(token)) return token.id;
    return std::nullopt;
  };
  const auto bos = [&](const AddedToken& token) { return token.id == tokenizer.bos(); };
  if (const auto id = special([](const auto& t) { return t.content.find("pad") != std::string_view::npos; }))
    return *id;
  if (const auto unk = tokenizer.unk(); unk && fits(*unk)) return *unk;
  if (const auto id = special([&](const auto& t) { return !bos(t); })) return *id;
  for (Index id = vocabulary - 1; id >= tokenizer.vocabulary(); --id)
    if (fits(static_cast<TokenId>(id))) return static_cast<TokenId>(id);
  if (const auto id = special(bos)) return *id;
  TokenId id = 0;
  while (!fits(id) && id + 1 < vocabulary) ++id;
  return id;
}

}  // namespace temper
