// SPDX-License-Identifier: MIT
#include "temper/data/token_decoder.hpp"
#include <doctest/doctest.h>
#include <support/refusal.hpp>
#include "temper/io/json.hpp"

#include <string>
#include <vector>

namespace token_decoder_test {

using namespace temper;
using temper::test::refusal;

TokenDecoder made(const std::string& json) {
  return TokenDecoder::from_json(parse_json(json, "test"), "decoder", "tokenizer.json");
}

constexpr const char* llama2 = R"({"type": "Sequence", "decoders": [
  {"type": "Replace", "pattern": {"String": "_"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
  {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})";

// What each token makes certain, then what finish() gives.
std::vector<std::string> pieces(const std::string& json, const std::vector<std::string>& tokens) {
  const TokenDecoder decoder = made(json);
  TokenDecoder::Stream stream(decoder);
  std::vector<std::string> found;
  for (const std::string& token : tokens) stream.push(token, found.emplace_back());
  stream.finish(found.emplace_back());
  return found;
}

TEST_CASE("token_decoder: every stage alone and in sequence gives what is recorded, twice from one stream") {
  const Json rows = read_json(TEMPER_TESTS "/golden/tokenizer/decoders.json");
  REQUIRE(rows.size() > 200);
  for (const Json& row : rows) {
    CAPTURE(to_text(row));
    const TokenDecoder decoder = made(to_text(row[0]));
    TokenDecoder::Stream stream(decoder);
    for (int round = 0; round < 2; ++round) {
      std::string text;
      for (const Json& token : row[1]) stream.push(token.get<std::string>(), text);
      stream.finish(text);
      CHECK(text == row[2].get<std::string>());
    }
  }
}

TEST_CASE("token_decoder: text comes as soon as no later token can change it") {
  using Pieces = std::vector<std::string>;
  CHECK(pieces(llama2, {"_a", "b", "_", "_c"}) == Pieces{"a", "b", " ", " c", ""});
  CHECK(pieces(llama2, {"<0xE4>", "<0xBD>", "<0xA0>", "x"}) == Pieces{"", "", "", "\xe4\xbd\xa0x", ""});
  CHECK(pieces(llama2, {"a", "<0xE4>"}) == Pieces{"a", "", "\xef\xbf\xbd"});
  CHECK(pieces(R"({"type": "ByteLevel"})", {"\xc3\xa2", "\xc4\xa4", "\xc2\xac!"}) ==
        Pieces{"", "", "\xe2\x82\xac!", ""});
  CHECK(pieces(R"({"type": "Sequence", "decoders": [{"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 0, "stop": 1}]})",
               {"a ", "b  ", " "}) == Pieces{"a", " b ", " ", ""});
}

TEST_CASE("token_decoder: Strip of more than there is leaves nothing") {
  CHECK(pieces(R"({"type": "Strip", "content": " ", "start": 99, "stop": 99})", {"  ", " a "}) ==
        std::vector<std::string>{"", "a", ""});
}

TEST_CASE("token_decoder: stages that are not known or lie are refused") {
  CHECK(refusal([] { made(R"({"type": "WordPiece"})"); }).starts_with("tokenizer.not_supported | "));
  for (const char* part : {R"({"type": "Strip", "content": "ab", "start": 1, "stop": 0})",
                           R"({"type": "Strip", "content": " ", "start": -1, "stop": 0})",
                           R"({"type": "Strip", "content": " ", "start": 0, "stop": 18446744073709551615})",
                           R"({"type": "Metaspace", "replacement": ""})"}) {
    CAPTURE(part);
    CHECK(refusal([&] { made(part); }).starts_with("tokenizer.field | temper: tokenizer.json: decoder."));
  }
  std::string nested = R"({"type": "Fuse"})";
  for (int i = 0; i < 20; ++i) nested = R"({"type": "Sequence", "decoders": [)" + nested + "]}";
  CHECK(refusal([&] { made(nested); }).starts_with("tokenizer.too_large | "));
}

}  // namespace token_decoder_test
