// SPDX-License-Identifier: MIT
// A window over bytes: what is kept, what is dropped, how large it may get.
#include "temper/data/byte_source.hpp"
#include <doctest/doctest.h>

namespace temper::byte_source_test {

// The same letter without end.
class Endless final : public ByteSource {
 public:
  std::size_t read(std::span<char> into) override {
    std::fill(into.begin(), into.end(), 'a');
    return into.size();
  }
};

TEST_CASE("byte source: a window keeps what is not dropped") {
  ByteWindow window(std::make_unique<TextBytes>("abcdefgh"), "a.txt", 3);
  CHECK(window.rest().empty());
  CHECK(window.more());
  CHECK(window.rest() == "abc");
  window.drop(2);
  CHECK(window.rest() == "c");
  CHECK(window.more());
  CHECK(window.rest() == "cdef");
  CHECK(window.more());
  CHECK(window.rest() == "cdefgh");
  CHECK(!window.more());
  CHECK(!window.more());
  CHECK(window.rest() == "cdefgh");
}

TEST_CASE("byte source: a file is read whole, in blocks") {
  const std::string path = TEMPER_TESTS "/golden/table/flat.jsonl";
  ByteWindow window(std::make_unique<FileBytes>(path), path, 1000);
  while (window.more()) {}
  CHECK(window.rest() == read_file(path, 1 << 20));
  CHECK_THROWS_WITH_AS(FileBytes(TEMPER_TESTS "/golden/no.jsonl"), doctest::Contains("no such file"), Error);
}

TEST_CASE("byte source: a row that does not end is refused before it fills the memory") {
  ByteWindow window(std::make_unique<Endless>(), "a.txt", std::size_t{1} << 26);
  window.count_lines(6);
  CHECK_THROWS_WITH_AS(
      [&] {
        while (window.more()) {}
      }(),
      doctest::Contains("a.txt: a row that begins at line 7 has more than 268435456 bytes"), Error);
}

TEST_CASE("byte source: a byte order mark is passed over, and nothing else is") {
  ByteWindow marked(std::make_unique<TextBytes>("\xef\xbb\xbf"
                                                "a"),
                    "a.txt", 1);
  skip_byte_order_mark(marked);
  CHECK(marked.rest() == "a");
  ByteWindow plain(std::make_unique<TextBytes>("\xef\xbb"), "a.txt");
  skip_byte_order_mark(plain);
  CHECK(plain.rest() == "\xef\xbb");
}

}  // namespace temper::byte_source_test
