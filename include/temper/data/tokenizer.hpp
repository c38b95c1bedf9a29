// SPDX-License-Identifier: MIT
// tokenizer.json as Hugging Face tokenizers reads it: text to ids and back, ids equal to theirs, and for each token the
// bytes of the text it stands for. Byte-pair encoding of bytes or characters. Needs PCRE2 and utf8proc; nothing of the
// core includes this. Truncation and padding that the file asks for are not applied: they belong to the batch, not to
// the text.
#pragma once
#include "temper/data/added_tokens.hpp"
#include "temper/data/bpe.hpp"
#include "temper/data/normalizer.hpp"
#include "temper/data/post_processor.hpp"
#include "temper/data/pre_tokenizer.hpp"
#include "temper/data/text_span.hpp"
#include "temper/data/token_decoder.hpp"
#include "temper/data/tokenizer_config.hpp"
#include "temper/data/tokenizer_json.hpp"
#include "temper/data/word_cache.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace temper {

// Ids and spans have one entry a token. The spans of a text follow each other; tokens that the post-processor adds have
// an empty one, and so has a space that the text does not have. Two tokens that share a character share no byte, unless
// normalization changed it: then both have all of it.
struct Encoding {
  std::vector<TokenId> ids;
  std::vector<TextSpan> spans;
};

// Encoding: whether the post-processor adds its tokens. Decoding: whether special tokens are written.
enum class SpecialTokens { none, added };

class Tokenizer {
  std::shared_ptr<const BytePairModel> model_;
  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  AddedTokens added_;
  Vocabulary added_texts_;  // the added tokens that are not in the model's vocabulary
  std::unordered_map<TokenId, std::string> normalized_texts_;  // of added tokens that normalization changes
  std::vector<TokenId> special_ids_;                           // sorted
  PostProcessor post_processor_;
  TokenDecoder decoder_;
  TokenizerConfig config_;
  std::string identity_;

 public:
  static constexpr std::size_t max_file_bytes = std::size_t{256} << 20;
  static constexpr std::size_t max_text_bytes = std::size_t{1} << 30;

  // A folder with tokenizer.json and, as far as they are there, tokenizer_config.json, special_tokens_map.json,
  // generation_config.json and chat_template.jinja.
  static Tokenizer open(const std::filesystem::path& folder) {
    const std::filesystem::path path = folder / "tokenizer.json";
    Tokenizer made(read_file(path, max_file_bytes), shown_path(path));
    made.config_ = read_tokenizer_config(folder);
    return made;
  }

  static Tokenizer from_json(std::string_view tokenizer_json, std::string_view source) {
    return Tokenizer(tokenizer_json, source);
  }

  Encoding encode(std::string_view text, SpecialTokens special) const {
    WordCache cache;
    return encode(text, special, cache);
  }

  // Many short texts are encoded faster when they share a cache; a cache belongs to one thread.
  Encoding encode(std::string_view text, SpecialTokens special, WordCache& cache) const {
    require(text.size() <= max_text_bytes, Fault::data, "text.too_long",
            "a text has {} bytes; expected at most {}; split it", text.size(), max_text_bytes);
    require_utf8(text);
    Encoding out;
    const auto add_special = [&](const std::vector<TokenId>& ids, Index at) {
      if (special == SpecialTokens::none) return;
      out.ids.insert(out.ids.end(), ids.begin(), ids.end());
      out.spans.insert(out.spans.end(), ids.size(), TextSpan{at, at});
    };
    add_special(post_processor_.before, 0);
    cache.use(model_);
    PreTokenizerScratch& scratch = cache.scratch();
    out.ids.reserve(text.size() / 3 + 4);
    out.spans.reserve(text.size() / 3 + 4);
    added_.split(AddedTokenStage::as_written, text, scratch.pattern, [&](const AddedTokens::Piece& piece) {
      if (piece.token) {
        out.ids.push_back(piece.token->id);
        out.spans.push_back({piece.begin, piece.end});
        return;
      }
      encode_plain(view(text, piece.begin, piece.end), piece.begin, cache, scratch, out);
    });
    add_special(post_processor_.after, static_cast<Index>(text.size()));
    return out;
  }

  // Ids that no token has are left out, as everywhere in Hugging Face; invalid UTF-8 becomes U+FFFD.
  std::string decode(std::span<const TokenId> ids, SpecialTokens special) const {
    std::string text;
    TokenDecoder::Stream stream(decoder_);
    for (const TokenId id : ids)
      if (const auto token = decoded_token(id, special)) stream.push(*token, text);
    stream.finish(text);
    return text;
  }

  // The token that decoding sees, in normal form if it is looked for in normal form: nothing for ids that no token has
  // and for special tokens that are left out.
  std::optional<std::string_view> decoded_token(TokenId id, SpecialTokens special) const {
    if (special == SpecialTokens::none && is_special(id)) return std::nullopt;
    const auto normalized = normalized_texts_.find(id);
    const std::string* const text = normalized == normalized_texts_.end() ? text_of(id) : &normalized->second;
    return text ? std::optional<std::string_view>(*text) : std::nullopt;
  }

  Index vocabulary() const { return 1 + std::max(model_->vocabulary().highest(), added_texts_.highest()); }

  std::optional<TokenId> id_of(std::string_view token) const {
    const auto id = added_texts_.id_of(token);
    return id ? id : model_->vocabulary().id_of(token);
  }

  // As tokenizer.json writes it, with U+0120 for a space; empty for an id that no token has.
  std::string_view token(TokenId id) const {
    const std::string* const text = text_of(id);
    return text ? std::string_view(*text) : std::string_view();
  }

  bool is_special(TokenId id) const { return std::binary_search(special_ids_.begin(), special_ids_.end(), id); }

  const std::optional<std::string>& bos_token() const { return config_.bos_token; }
  const std::optional<std::string>& eos_token() const { return config_.eos_token; }
  const std::optional<std::string>& unk_token() const { return config_.unk_token; }
  const std::optional<std::string>& pad_token() const { return config_.pad_token; }
  std::optional<TokenId> bos() const { return id_of_role(config_.bos_token); }
  std::optional<TokenId> eos() const {
    const auto id = id_of_role(config_.eos_token);
    return id || config_.end_ids.empty() ? id : static_cast<TokenId>(config_.end_ids.front());
  }
  std::optional<TokenId> unk() const { return id_of_role(config_.unk_token); }
  std::optional<TokenId> pad() const { return id_of_role(config_.pad_token); }

  // Where generation stops: the eos token and those of generation_config.json.
  std::vector<TokenId> end_ids() const {
    std::vector<TokenId> ids;
    if (const auto id = eos()) ids.push_back(*id);
    for (const std::int64_t id : config_.end_ids)
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(static_cast<TokenId>(id));
    return ids;
  }

  const std::optional<std::string>& chat_template() const { return config_.chat_template; }
  const std::vector<AddedToken>& added_tokens() const { return added_.tokens(); }
  const PostProcessor& post_processor() const { return post_processor_; }
  const TokenDecoder& decoder() const { return decoder_; }

  // Equal for equal tokenizer.json files, byte for byte.
  const std::string& identity() const { return identity_; }

 private:
  Tokenizer(std::string_view json, std::string_view source) {
    std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
    for (const char byte : json) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
    identity_ = fmt::format("{:016x}-{}", hash, json.size());
    TokenizerFile file = read_tokenizer_json(json, source);
    const Json rest = std::move(file.rest);
    const auto field = [&](const char* name) {
      const auto at = rest.find(name);
      return at == rest.end() ? Json() : *at;
    };
    normalizer_ = Normalizer::from_json(field("normalizer"), "normalizer", source);
    pre_tokenizer_ = PreTokenizer::from_json(field("pre_tokenizer"), "pre_tokenizer", source);
    decoder_ = TokenDecoder::from_json(field("decoder"), "decoder", source);
    model_ = make_model(TokenizerPart(field("model"), "model", source), pre_tokenizer_.alphabet(), std::move(file));
    read_added_tokens(rest, source);
    post_processor_ = PostProcessor::from_json(
        field("post_processor"), "post_processor", source,
        [&](std::uint64_t id) { return id < Vocabulary::max_tokens && !token(static_cast<TokenId>(id)).empty(); });
  }

  static std::string_view view(std::string_view text, Index begin, Index end) {
    return text.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  }
  std::optional<TokenId> id_of_role(const std::optional<std::string>& token) const {
    return token ? id_of(std::string_view(*token)) : std::nullopt;
  }

  const std::string* text_of(TokenId id) const {
    const std::string* const text = added_texts_.text_of(id);
    return text ? text : model_->vocabulary().text_of(id);
  }

  // 'written' is text without added tokens that starts at 'origin' of the whole.
  void encode_plain(std::string_view written, Index origin, WordCache& cache, PreTokenizerScratch& scratch,
                    Encoding& out) const {
    const std::optional<NormalizedText> changed = normalizer_(written, scratch.pattern);
    const std::string_view text = changed ? std::string_view(changed->text()) : written;
    std::size_t text_hint = 0, word_hint = 0;
    const auto push = [&](TokenId id, TextSpan span) {
      if (changed) span = changed->original(span, text_hint);
      out.ids.push_back(id);
      out.spans.push_back({origin + span.begin, origin + span.end});
    };
    added_.split(AddedTokenStage::normalized, text, scratch.pattern, [&](const AddedTokens::Piece& piece) {
      if (piece.token) return push(piece.token->id, {piece.begin, piece.end});
      const auto begins = [&](Index at) {
        const TextSpan place{piece.begin + at, piece.begin + at + 1};
        return origin + (changed ? changed->original(place) : place).begin == 0;
      };
      pre_tokenizer_.split(view(text, piece.begin, piece.end), scratch, begins, [&](const Word& word) {
        model_->cut(word.bytes, [&](std::size_t begin, std::size_t end) {
          cache.encode(word.bytes.substr(begin, end - begin), [&](const WordToken& token) {
            const TextSpan span =
                word.in_text(static_cast<Index>(begin + token.begin), static_cast<Index>(begin + token.end), word_hint);
            push(token.id, {piece.begin + span.begin, piece.begin + span.end});
          });
        });
      });
    });
  }

  static std::shared_ptr<const BytePairModel> make_model(const TokenizerPart& part, WordAlphabet alphabet,
                                                         TokenizerFile&& file) {
    if (part.find("type") && part.text("type") != "BPE") part.not_supported("type " + part.text("type"), "BPE");
    const Json* const dropout = part.find("dropout");
    if (dropout && !(dropout->is_number() && dropout->get<double>() == 0)) part.not_supported("dropout", "null");
    BytePairModel::Settings settings;
    settings.alphabet = alphabet;
    for (const auto& [field, into] : {std::pair{"continuing_subword_prefix", &settings.prefix},
                                      std::pair{"end_of_word_suffix", &settings.suffix}}) {
      if (alphabet == WordAlphabet::bytes) part.require_empty(field);
      if (part.find(field)) *into = part.text(field);
      if (into->size() > 64) part.wrong(field, Json(*into), "at most 64 bytes");
    }
    settings.byte_fallback = part.flag("byte_fallback", false);
    settings.fuse_unknown = part.flag("fuse_unk", false);
    settings.ignore_merges = part.flag("ignore_merges", false);
    if (part.find("unk_token")) settings.unknown_token = part.text("unk_token");
    require(file.vocabulary.size() > 0, Fault::data, "tokenizer.vocabulary", "{}: model.vocab is empty; {}",
            printable(part.source()), "expected an object of tokens; download the file again");
    return std::make_shared<const BytePairModel>(std::move(file.vocabulary), file.merges, settings, part.source());
  }

  void read_added_tokens(const Json& rest, std::string_view source) {
    const TokenizerPart root(rest, "the file", source);
    std::vector<AddedToken> tokens;
    if (const Json* const list = root.find("added_tokens")) {
      require(list->size() <= AddedTokens::max_tokens, Fault::data, "tokenizer.too_large",
              "{}: added_tokens has {} entries; expected at most {}", printable(source), list->size(),
              AddedTokens::max_tokens);
      for (const TokenizerPart& part : root.parts("added_tokens")) {
        const bool special = part.flag("special", false);
        AddedToken token{part.text("content"),
                         0,
                         part.flag("single_word", false),
                         part.flag("lstrip", false),
                         part.flag("rstrip", false),
                         part.flag("normalized", !special),
                         special};
        const Json* const id = part.find("id");
        if (!id || !id->is_number_unsigned() || id->get<std::uint64_t>() >= Vocabulary::max_tokens)
          part.wrong("id", id ? *id : Json(), "a token id");
        token.id = static_cast<TokenId>(id->get<std::uint64_t>());
        check_added(token, part);
        if (special) special_ids_.push_back(token.id);
        tokens.push_back(std::move(token));
      }
    }
    std::sort(special_ids_.begin(), special_ids_.end());
    PatternScratch scratch;
    for (const AddedToken& token : tokens)
      if (token.normalized)
        if (const auto changed = normalizer_(token.content, scratch)) normalized_texts_[token.id] = changed->text();
    added_ = AddedTokens(std::move(tokens), normalizer_);
  }

  void check_added(const AddedToken& token, const TokenizerPart& part) {
    require(!token.content.empty() && token.content.size() <= AddedTokenFinder::max_text_bytes, Fault::data,
            "tokenizer.added_token", "{}: {}.content has {} bytes; expected 1 to {}; mend the file", part.source(),
            part.name(), token.content.size(), AddedTokenFinder::max_text_bytes);
    const auto known = model_->vocabulary().id_of(token.content);
    const std::string* const there = model_->vocabulary().text_of(token.id);
    const bool fits = known ? *known == token.id : there == nullptr;
    require(fits, Fault::data, "tokenizer.added_token",
            "{}: {} '{}' has id {}, but in model.vocab {}; expected the same id; download the file again",
            part.source(), part.name(), printable(token.content), token.id,
            known ? fmt::format("it has {}", *known) : fmt::format("that is '{}'", there ? printable(*there) : ""));
    if (!known) added_texts_.add(std::string(token.content), token.id, part.source());
  }
};

}  // namespace temper
