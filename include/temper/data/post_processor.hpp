// SPDX-License-Identifier: MIT
// The special tokens that a tokenizer puts around a text, such as a beginning-of-text token: TemplateProcessing (its
// single form; the one for pairs is only checked) of tokenizer.json. ByteLevel post-processing changes offsets only and
// has nothing to do here: spans always cover the bytes that a token stands for.
#pragma once
#include "temper/core/types.hpp"
#include "temper/data/tokenizer_part.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace temper {

struct PostProcessor {
  std::vector<TokenId> before, after;

  // 'has_id' tells which ids the tokenizer has.
  template <class HasId>
  static PostProcessor from_json(const Json& value, const std::string& name, std::string_view source,
                                 const HasId& has_id) {
    PostProcessor made;
    if (!value.is_null()) made.add(TokenizerPart(value, name, source), has_id);
    return made;
  }

 private:
  template <class HasId>
  void add(const TokenizerPart& part, const HasId& has_id) {
    const std::string& type = part.text("type");
    if (type == "Sequence") {
      for (const TokenizerPart& step : part.parts("processors")) {
        if (step.text("type") == "Sequence") step.not_supported("type Sequence inside a Sequence", "one Sequence");
        add(step, has_id);
      }
    } else if (type == "TemplateProcessing") {
      add_template(part, has_id);
    } else if (type != "ByteLevel") {
      part.not_supported("type " + type, "null, ByteLevel, TemplateProcessing or a Sequence of these");
    }
  }

  template <class HasId>
  void add_template(const TokenizerPart& part, const HasId& has_id) {
    if (!before.empty() || !after.empty()) part.not_supported("after another template", "one TemplateProcessing");
    bool text_seen = false;
    for (const TokenizerPart& piece : part.parts("single")) {
      if (piece.find("Sequence")) {
        if (text_seen || piece.part("Sequence").text("id") != "A") piece.not_supported("a second text", "one text, A");
        text_seen = true;
        continue;
      }
      const std::vector<TokenId> ids = token_ids(part, piece, has_id);
      auto& side = text_seen ? after : before;
      side.insert(side.end(), ids.begin(), ids.end());
      if (before.size() + after.size() > max_tokens) part.not_supported("with more than 1000 tokens", "a few");
    }
    if (!text_seen) part.not_supported("without a text", "the text A");
    if (!part.find("pair")) return;
    for (const TokenizerPart& piece : part.parts("pair")) {  // not used here, but it must be one
      if (!piece.find("Sequence")) {
        token_ids(part, piece, has_id);
        continue;
      }
      const std::string& id = piece.part("Sequence").text("id");
      if (id != "A" && id != "B") piece.not_supported("text " + id, "the texts A and B");
    }
  }

  static constexpr std::size_t max_tokens = 1000;

  template <class HasId>
  static std::vector<TokenId> token_ids(const TokenizerPart& part, const TokenizerPart& piece, const HasId& has_id) {
    static const Json none;
    const std::string& token = piece.part("SpecialToken").text("id");
    const TokenizerPart known = part.part("special_tokens").part(token.c_str());
    const Json* const ids = known.find("ids");
    if (!ids || !ids->is_array()) known.wrong("ids", ids ? *ids : none, "a list of token ids");
    if (ids->size() > max_tokens) part.not_supported("with more than 1000 tokens", "a few");
    std::vector<TokenId> found;
    for (const Json& id : *ids) {
      const bool fits = id.is_number_unsigned() && has_id(id.get<std::uint64_t>());
      if (!fits) known.wrong("ids", *ids, "ids of tokens that exist");
      found.push_back(static_cast<TokenId>(id.get<std::uint64_t>()));
    }
    return found;
  }
};

}  // namespace temper
