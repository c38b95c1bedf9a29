// SPDX-License-Identifier: MIT
#include "temper/data/vocabulary.hpp"
#include <doctest/doctest.h>
#include <support/refusal.hpp>

#include <string>

namespace vocabulary_test {

using namespace temper;

std::string refused(const std::string& text, std::int64_t id) {
  Vocabulary vocabulary;
  vocabulary.add("a", 0, "f");
  vocabulary.add("b", 7, "f");
  return test::refusal([&] { vocabulary.add(std::string(text), id, "folder/tokenizer.json"); });
}

TEST_CASE("vocabulary: texts and ids are found both ways, holes have no text") {
  Vocabulary vocabulary;
  CHECK(vocabulary.highest() == -1);
  CHECK(vocabulary.size() == 0);
  CHECK_FALSE(vocabulary.id_of("").has_value());
  CHECK(vocabulary.text_of(0) == nullptr);
  const int count = 5000;
  for (int i = count; i-- > 0;) vocabulary.add("token " + std::to_string(i), 3 * i, "f");
  CHECK(vocabulary.size() == 5000);
  CHECK(vocabulary.highest() == 3 * (count - 1));
  int wrong = 0;
  for (int i = 0; i < count; ++i) {
    const std::string text = "token " + std::to_string(i);
    const std::string* const found = vocabulary.text_of(3 * i);
    if (vocabulary.id_of(text) != TokenId{3 * i} || !found || *found != text) ++wrong;
    if (vocabulary.text_of(3 * i + 1)) ++wrong;
  }
  CHECK(wrong == 0);
  CHECK_FALSE(vocabulary.id_of("token 5000").has_value());
  for (const TokenId id : {-1, -2147483647 - 1, 3 * count, 2147483647}) CHECK(vocabulary.text_of(id) == nullptr);
}

TEST_CASE("vocabulary: a text or an id that stands twice is refused with both tokens") {
  CHECK(refused("c", 7).starts_with(
      "tokenizer.vocabulary | temper: folder/tokenizer.json: tokens 'b' and 'c' both have id 7"));
  CHECK(refused("a", 1).starts_with("tokenizer.vocabulary | temper: folder/tokenizer.json: token 'a' stands twice"));
  CHECK(refused("c", 1) == "nothing");
  CHECK(refused("", 1) == "nothing");
}

TEST_CASE("vocabulary: ids below zero or beyond the cap are refused before anything is allocated") {
  const auto cap = static_cast<std::int64_t>(Vocabulary::max_tokens);
  for (const std::int64_t id : {std::int64_t{-1}, cap, std::int64_t{1} << 31, std::int64_t{1} << 62, INT64_MIN}) {
    const std::string said = refused("c", id);
    CAPTURE(said);
    CHECK(said.find("tokenizer.vocabulary | temper: folder/tokenizer.json: token 'c' has id " + std::to_string(id)) ==
          0);
    CHECK(said.find("expected 0 to 4194303") != std::string::npos);
  }
  CHECK(refused("c", cap - 1) == "nothing");
}

TEST_CASE("vocabulary: a token of many bytes is refused, and shown shortened") {
  const std::string said = refused(std::string(Vocabulary::max_token_bytes + 1, 'x'), 1);
  CHECK(said.starts_with("tokenizer.too_large | "));
  CHECK(said.size() < 500);
  CHECK(refused(std::string(Vocabulary::max_token_bytes, 'x'), 1) == "nothing");
  CHECK(refused("\x1b[2J", 7).find('\x1b') == std::string::npos);
}

}  // namespace vocabulary_test
