// SPDX-License-Identifier: MIT
// The printable alphabet of byte-level BPE: each of the 256 bytes has one character. Bytes that are printable in
// Latin-1 stand for themselves; the other 68, in order, are U+0100, U+0101, ... (a space is U+0120).
#pragma once
#include "temper/data/unicode.hpp"

#include <array>
#include <string>
#include <string_view>

namespace temper {

// What the words of a tokenizer are made of: characters, or bytes, which its vocabulary writes in this alphabet.
enum class WordAlphabet { characters, bytes };

constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad && byte <= 0xff);
}

constexpr std::array<char32_t, 256> make_byte_characters() {
  std::array<char32_t, 256> characters{};
  char32_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) characters[byte] = stands_for_itself(byte) ? char32_t{byte} : next++;
  return characters;
}
inline constexpr std::array<char32_t, 256> byte_characters = make_byte_characters();

// The reverse, for characters below U+0144; -1 where a character stands for no byte.
constexpr std::array<std::int16_t, 0x144> make_character_bytes() {
  std::array<std::int16_t, 0x144> bytes{};
  bytes.fill(-1);
  for (unsigned byte = 0; byte < 256; ++byte) bytes[byte_characters[byte]] = static_cast<std::int16_t>(byte);
  return bytes;
}
inline constexpr std::array<std::int16_t, 0x144> character_bytes = make_character_bytes();

inline std::string to_byte_characters(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) append_code_point(text, byte_characters[static_cast<unsigned char>(byte)]);
  return text;
}

// Appends the bytes that a token's text stands for. A token with any character outside the alphabet (an added token)
// stands for its own text.
inline void append_token_bytes(std::string& bytes, std::string_view token) {
  const std::size_t before = bytes.size();
  for (std::size_t at = 0; at < token.size();) {
    const CodePoint c = code_point_at(token, at);
    if (c.value >= character_bytes.size() || character_bytes[c.value] < 0) {
      bytes.resize(before);
      bytes += token;
      return;
    }
    bytes.push_back(static_cast<char>(static_cast<unsigned char>(character_bytes[c.value])));
    at += c.length;
  }
}

}  // namespace temper
