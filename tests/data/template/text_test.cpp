// SPDX-License-Identifier: MIT
// Texts that know who wrote them: cutting and joining keep every byte's writer; UTF-8 is read by character.
#include "temper/data/template/text.hpp"
#include <doctest/doctest.h>

namespace temper::templates::text_test {

std::string contents(const Text& text) {
  std::string shown;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int content = text.writer_at(i).content;
    shown += content < 0 ? '.' : static_cast<char>('0' + content);
  }
  return shown;
}

TEST_CASE("text: joined and cut, each byte keeps its writer") {
  Text text("ab");
  text.append(Text("cde", {1, -1, -1}));
  text.append("f");
  text.append("gh", {2, -1, -1});
  CHECK(text.bytes() == "abcdefgh");
  CHECK(contents(text) == "..111.22");
  CHECK(contents(text.slice(3, 7)) == "11.2");
  CHECK(text.slice(3, 7).bytes() == "defg");
  CHECK(text.slice(7, 3).empty());
  CHECK(text.slice(6, 99).bytes() == "gh");
  CHECK(text.slice(0, 2).runs().empty());
}

TEST_CASE("text: neighbours with one writer are one run") {
  Text text("a", {1, -1, -1});
  text.append("b", {1, -1, -1});
  CHECK(text.runs().size() == 1);
  text.append("c");
  CHECK(text.runs().size() == 2);
}

TEST_CASE("text: a context fills in the author and the block, and changes neither where they are known") {
  Text part("x", {3, -1, -1});
  part.append("y", {-1, 5, 7});
  Text text;
  text.append(part, {-1, 9, 8});
  CHECK(text.writer_at(0) == Writer{3, 9, 8});
  CHECK(text.writer_at(1) == Writer{-1, 5, 7});
}

TEST_CASE("text: characters are counted and found by code point") {
  const std::string text = "a\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x98\x80z";
  CHECK(count_code_points(text) == 5);
  CHECK(byte_of_code_point(text, 3) == 6);
  CHECK(byte_of_code_point(text, 9) == text.size());
  CHECK(code_point_at(text, 6).value == 0x1f600);
  std::string again;
  for (std::size_t at = 0; at < text.size(); at += code_point_at(text, at).bytes)
    append_code_point(again, code_point_at(text, at).value);
  CHECK(again == text);
}

TEST_CASE("text: what is not UTF-8 is found") {
  CHECK(find_invalid_utf8("a\xc3\xa9") == std::string_view::npos);
  for (const char* bad :
       {"a\xff", "a\xc3", "a\xc0\x80", "a\xed\xa0\x80", "a\xf4\x90\x80\x80", "a\xe0\x80\x80", "a\x80"})
    CHECK(find_invalid_utf8(bad) == 1);
}

}  // namespace temper::templates::text_test
