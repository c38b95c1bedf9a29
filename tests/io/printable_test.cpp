// SPDX-License-Identifier: MIT
#include "temper/io/printable.hpp"

#include <doctest/doctest.h>

namespace printable_test {

using temper::printable;
using temper::utf8_length;

TEST_CASE("printable: text and accents stay as they are") {
  CHECK(printable("layer.0 \xc3\xa9") == "layer.0 \xc3\xa9");
}

TEST_CASE("printable: control characters and bad bytes are written out") {
  CHECK(printable("a\x1b[31m\n") == "a\\u001b[31m\\u000a");
  CHECK(printable("\x7f") == "\\u007f");
  CHECK(printable("\xc2\x9b") == "\\u009b");
  CHECK(printable("\xff\xc3") == "\\xff\\xc3");
}

TEST_CASE("printable: long text is cut between characters") {
  CHECK(printable("abcdef", 3) == "abc...");
  CHECK(printable("abc", 3) == "abc");
  CHECK(printable("\xc3\xa9\xc3\xa9", 1) == "\xc3\xa9...");
}

TEST_CASE("printable: only well-formed UTF-8 has a length") {
  CHECK(utf8_length("") == 0);
  CHECK(utf8_length("a") == 1);
  CHECK(utf8_length("\xf0\x9f\x98\x80") == 4);
  for (const char* bad : {"\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
                          "\xf5\x80\x80\x80", "\xe2\x82"})
    CHECK(utf8_length(bad) == 0);
}

}  // namespace printable_test
