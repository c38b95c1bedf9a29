// SPDX-License-Identifier: MIT
#include "temper/data/byte_level.hpp"
#include <doctest/doctest.h>

#include <set>
#include <string>

namespace byte_level_test {

using namespace temper;

TEST_CASE("byte_level: the alphabet has a printable character for each byte") {
  const std::set<char32_t> characters(byte_characters.begin(), byte_characters.end());
  CHECK(characters.size() == 256);
  CHECK(*characters.begin() == U'!');
  CHECK(*characters.rbegin() == U'\u0143');
  CHECK(characters.count(U' ') == 0);
  CHECK(byte_characters['a'] == U'a');
  CHECK(byte_characters[0x00] == U'\u0100');
  CHECK(byte_characters[0x0a] == U'\u010a');
  CHECK(byte_characters[0x20] == U'\u0120');
  CHECK(byte_characters[0x7f] == U'\u0121');
  CHECK(byte_characters[0xa0] == U'\u0142');
  CHECK(byte_characters[0xad] == U'\u0143');
  CHECK(byte_characters[0xff] == U'\u00ff');
}

TEST_CASE("byte_level: all bytes are written and read back") {
  std::string bytes;
  for (int round = 0; round < 2; ++round)
    for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(static_cast<unsigned char>(byte));
  const std::string text = to_byte_characters(bytes);
  CHECK(valid_utf8_prefix(text) == text.size());
  std::string back = "before";
  append_token_bytes(back, text);
  CHECK(back == "before" + bytes);
  CHECK(to_byte_characters(" a\n") ==
        "\xc4\xa0"
        "a\xc4\x8a");
}

TEST_CASE("byte_level: a token with a character outside the alphabet stands for its own text") {
  for (const std::string token : {"<|a b|>", "a\xe4\xbd\xa0", "caf\xc3\xa9 token", "\xc5\x84", "\xc2\xad"}) {
    std::string bytes = "x";
    append_token_bytes(bytes, token);
    CHECK(bytes == "x" + token);
  }
  std::string bytes;
  append_token_bytes(bytes, "\xc3\xa9");  // U+00E9 alone is the byte e9
  CHECK(bytes == "\xe9");
  append_token_bytes(bytes, "");
  CHECK(bytes == "\xe9");
}

}  // namespace byte_level_test
