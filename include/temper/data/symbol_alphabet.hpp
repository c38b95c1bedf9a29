// SPDX-License-Identifier: MIT
// The symbols that byte-pair encoding starts from: a token for each byte or character of a word, and what stands for
// those without one: the tokens of their bytes (byte_fallback), the unknown token, or nothing.
#pragma once
#include "temper/data/byte_level.hpp"
#include "temper/data/merge_table.hpp"
#include "temper/data/vocabulary.hpp"
#include "temper/io/printable.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace temper {

struct WordToken {
  TokenId id;
  std::uint32_t begin, end;  // bytes of the word
};

struct Symbol : WordToken {
  Merge with_next;
};

struct SymbolSettings {
  WordAlphabet alphabet = WordAlphabet::bytes;
  bool byte_fallback = false;
  bool fuse_unknown = false;
  std::optional<std::string> unknown_token{};
  std::string prefix{}, suffix{};  // written before every symbol but the first of a word, and after the last
};

class SymbolAlphabet {
  static constexpr TokenId no_token = -1;

  SymbolSettings settings_;
  TokenId unknown_ = no_token;
  std::array<TokenId, 256> bytes_{};                  // with the alphabet of bytes
  std::array<TokenId, 128> ascii_{};                  // with that of characters
  std::unordered_map<char32_t, TokenId> characters_;  // those above
  std::array<TokenId, 256> fallback_{};               // <0x00> to <0xFF>

 public:
  SymbolAlphabet(const Vocabulary& vocabulary, const SymbolSettings& settings, std::string_view source)
      : settings_(settings) {
    if (settings.unknown_token) {
      const auto id = vocabulary.id_of(*settings.unknown_token);
      require(id.has_value(), Fault::data, "tokenizer.vocabulary",
              "{}: model.unk_token '{}' is not in the vocabulary; expected one of its tokens; {}", printable(source),
              printable(*settings.unknown_token), "download the file again");
      unknown_ = *id;
    }
    const auto id_of = [&](std::string_view text) { return vocabulary.id_of(text).value_or(no_token); };
    for (std::size_t byte = 0; byte < 256; ++byte) {
      std::string character;
      append_code_point(character, byte_characters[byte]);
      bytes_[byte] = id_of(character);
      fallback_[byte] = id_of(fmt::format("<0x{:02X}>", byte));
      if (byte < 128) ascii_[byte] = id_of(std::string(1, static_cast<char>(byte)));
    }
    if (settings.alphabet == WordAlphabet::bytes) {
      const bool all = std::find(bytes_.begin(), bytes_.end(), no_token) == bytes_.end();
      require(all || !settings.byte_fallback, Fault::data, "tokenizer.not_supported",
              "{}: model.byte_fallback with ByteLevel words and bytes without a token is not supported yet; {}",
              printable(source), "expected false, or a token for each byte");
      return;
    }
    for (Index id = 0; id <= vocabulary.highest(); ++id) {
      const std::string* const text = vocabulary.text_of(static_cast<TokenId>(id));
      if (!text || text->size() < 2 || text->size() > 4) continue;
      const CodePoint c = code_point_at(*text, 0);
      if (c.length == text->size()) characters_.emplace(c.value, static_cast<TokenId>(id));
    }
  }

  const SymbolSettings& settings() const { return settings_; }

  // Whether a character can become this token without being it: then what stands beside it in a text tells nothing.
  bool stands_for_others(TokenId id) const {
    return id == unknown_ || std::find(fallback_.begin(), fallback_.end(), id) != fallback_.end();
  }

  // Replaces 'symbols' by those of a word; their merges are left to the caller.
  void start(std::string_view word, const Vocabulary& vocabulary, std::vector<Symbol>& symbols) const {
    symbols.clear();
    if (settings_.alphabet == WordAlphabet::bytes)
      start_bytes(word, symbols);
    else
      start_characters(word, vocabulary, symbols);
  }

 private:
  static void push(std::vector<Symbol>& symbols, TokenId id, std::size_t begin, std::size_t end) {
    symbols.push_back({{id, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)}, {}});
  }

  void start_bytes(std::string_view word, std::vector<Symbol>& symbols) const {
    bool last_unknown = false;
    for (std::size_t at = 0; at < word.size(); ++at) {
      const TokenId known = bytes_[static_cast<unsigned char>(word[at])];
      if (known == no_token && last_unknown && settings_.fuse_unknown && unknown_ != no_token) {
        symbols.back().end = static_cast<std::uint32_t>(at + 1);
        continue;
      }
      last_unknown = known == no_token;
      const TokenId id = last_unknown ? unknown_ : known;
      if (id != no_token) push(symbols, id, at, at + 1);
    }
  }

  TokenId character(char32_t c) const {
    if (c < 0x80) return ascii_[c];
    const auto at = characters_.find(c);
    return at == characters_.end() ? no_token : at->second;
  }

  // As Hugging Face does it, an unknown token waits until the next known one: bytes in between come before it.
  void start_characters(std::string_view word, const Vocabulary& vocabulary, std::vector<Symbol>& symbols) const {
    const bool decorated = !settings_.prefix.empty() || !settings_.suffix.empty();
    std::string written;
    std::optional<std::pair<std::size_t, std::size_t>> unknown;
    const auto write_unknown = [&] {
      if (unknown) push(symbols, unknown_, unknown->first, unknown->second);
      unknown.reset();
    };
    for (std::size_t at = 0; at < word.size();) {
      const CodePoint c = code_point_at(word, at);
      const std::size_t begin = at;
      at += c.length;
      std::string_view text = word.substr(begin, c.length);
      TokenId id = no_token;
      if (decorated) {
        written = begin == 0 ? "" : settings_.prefix;
        written += text;
        if (at == word.size()) written += settings_.suffix;
        text = written;
        id = vocabulary.id_of(text).value_or(no_token);
      } else {
        id = character(c.value);
      }
      if (id != no_token) {
        write_unknown();
        push(symbols, id, begin, at);
      } else if (settings_.byte_fallback && has_bytes(text)) {
        for (std::size_t i = 0; i < text.size(); ++i) {  // what a prefix or suffix adds stands for the whole
          const bool own = text.size() == c.length;
          push(symbols, fallback_[static_cast<unsigned char>(text[i])], own ? begin + i : begin,
               own ? begin + i + 1 : at);
        }
      } else if (unknown_ != no_token) {
        if (unknown && settings_.fuse_unknown) {
          unknown->second = at;
        } else {
          write_unknown();
          unknown.emplace(begin, at);
        }
      }
    }
    write_unknown();
  }

  bool has_bytes(std::string_view text) const {
    return std::all_of(text.begin(), text.end(),
                       [&](char byte) { return fallback_[static_cast<unsigned char>(byte)] != no_token; });
  }
};

}  // namespace temper
