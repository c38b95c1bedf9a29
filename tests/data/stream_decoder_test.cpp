// SPDX-License-Identifier: MIT
#include "temper/data/stream_decoder.hpp"
#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace stream_decoder_test {

using namespace temper;

Tokenizer tokenizer() { return Tokenizer::open(TEMPER_TESTS "/golden/tokenizer/gpt2"); }

TokenId byte_token(const Tokenizer& t, char byte) {
  return t.id_of(to_byte_characters(std::string_view(&byte, 1))).value();
}

TEST_CASE("stream_decoder: a character comes when its last byte has come") {
  const Tokenizer t = tokenizer();
  StreamDecoder stream(t);
  const std::string emoji = "\xf0\x9f\x98\x80";
  for (const char byte : emoji.substr(0, 3)) CHECK(stream.push(byte_token(t, byte)).empty());
  CHECK(stream.push(byte_token(t, emoji[3])) == emoji);
  CHECK(stream.finish().empty());
}

TEST_CASE("stream_decoder: bytes that no character completes are replaced as decode replaces them") {
  const Tokenizer t = tokenizer();
  StreamDecoder stream(t);
  CHECK(stream.push(byte_token(t, '\xe4')).empty());
  CHECK(stream.push(byte_token(t, 'a')) ==
        "\xef\xbf\xbd"
        "a");
  CHECK(stream.push(byte_token(t, '\xf0')).empty());
  CHECK(stream.push(byte_token(t, '\x9f')).empty());
  CHECK(stream.finish() == "\xef\xbf\xbd");
}

TEST_CASE("stream_decoder: the pieces together are what decode gives") {
  const Tokenizer t = tokenizer();
  const Json expected = read_json(TEMPER_TESTS "/golden/tokenizer/gpt2/expected.json");
  for (const Json& row : expected["decodes"]) {
    StreamDecoder stream(t, SpecialTokens::added);
    std::string text;
    for (const Json& id : row["ids"]) text += stream.push(id.get<TokenId>());
    text += stream.finish();
    CHECK(text == row["decoded"].get<std::string>());
  }
}

}  // namespace stream_decoder_test
