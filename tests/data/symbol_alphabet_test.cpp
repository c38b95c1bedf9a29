// SPDX-License-Identifier: MIT
// Symbols are shown as id:begin-end.
#include "temper/data/symbol_alphabet.hpp"
#include <doctest/doctest.h>
#include <support/refusal.hpp>

#include <string>
#include <utility>
#include <vector>

namespace symbol_alphabet_test {

using namespace temper;

std::string symbols(std::vector<std::string> texts, SymbolSettings settings, std::string_view word) {
  Vocabulary vocabulary;
  for (std::string& text : texts) {
    const auto id = static_cast<std::int64_t>(vocabulary.size());
    vocabulary.add(std::move(text), id, "test");
  }
  const SymbolAlphabet alphabet(vocabulary, settings, "test");
  std::vector<Symbol> found{{}};
  alphabet.start(word, vocabulary, found);
  std::string shown;
  for (const Symbol& symbol : found) shown += fmt::format(" {}:{}-{}", symbol.id, symbol.begin, symbol.end);
  return shown;
}

SymbolSettings settings(WordAlphabet alphabet, bool byte_fallback = false, bool fuse = false,
                        const char* unknown = nullptr) {
  SymbolSettings made;
  made.alphabet = alphabet;
  made.byte_fallback = byte_fallback;
  made.fuse_unknown = fuse;
  if (unknown) made.unknown_token = unknown;
  return made;
}

constexpr auto bytes = WordAlphabet::bytes, characters = WordAlphabet::characters;

TEST_CASE("symbol_alphabet: a token for each byte, or for each character") {
  CHECK(symbols({"a", "\xc3\xa9", "\xc3\x83", "\xc2\xa9"}, settings(bytes), "a\xc3\xa9") == " 0:0-1 2:1-2 3:2-3");
  CHECK(symbols({"a", "\xc3\xa9", "\xc3\x83", "\xc2\xa9"}, settings(characters), "a\xc3\xa9") == " 0:0-1 1:1-3");
}

TEST_CASE("symbol_alphabet: what has no token becomes bytes, the unknown token or nothing") {
  const std::vector<std::string> texts{"a", "b", "<0x63>", "<0xC3>", "<0xA9>"};
  CHECK(symbols(texts, settings(characters, true), "ac\xc3\xa9") == " 0:0-1 2:1-2 3:2-3 4:3-4");
  CHECK(symbols(texts, settings(characters), "xax") == " 0:1-2");
  CHECK(symbols(texts, settings(characters, false, false, "b"), "xxa") == " 1:0-1 1:1-2 0:2-3");
  CHECK(symbols(texts, settings(characters, false, true, "b"), "xxa") == " 1:0-2 0:2-3");
  // \xc3\xaa has a token for one of its two bytes only, so it is unknown.
  CHECK(symbols(texts, settings(characters, true, true, "b"), "a\xc3\xaa") == " 0:0-1 1:1-3");
}

TEST_CASE("symbol_alphabet: an unknown token waits for the next known one, as in the reference") {
  const std::vector<std::string> texts{"a", "b", "<0x63>"};
  CHECK(symbols(texts, settings(characters, true, true, "a"), "bxcxb") == " 1:0-1 2:2-3 0:1-4 1:4-5");
  CHECK(symbols(texts, settings(characters, true, false, "a"), "bxcxb") == " 1:0-1 2:2-3 0:1-2 0:3-4 1:4-5");
}

TEST_CASE("symbol_alphabet: settings that contradict the vocabulary are refused") {
  CHECK(test::refusal([] { symbols({"a"}, settings(bytes, true), "a"); }).starts_with("tokenizer.not_supported | "));
  CHECK(test::refusal([] {
          symbols({"a"}, settings(characters, false, false, "zz"), "a");
        }).starts_with("tokenizer.vocabulary | temper: test: model.unk_token 'zz' is not in the vocabulary"));
}

}  // namespace symbol_alphabet_test
