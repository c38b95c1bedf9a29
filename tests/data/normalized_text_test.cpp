// SPDX-License-Identifier: MIT
#include "temper/data/normalized_text.hpp"
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace normalized_text_test {

using namespace temper;

TEST_CASE("normalized_text: what is as it was stands for its own bytes, what changed for all of its range") {
  NormalizedText text;
  text.append_changed("__", {0, 0});
  text.append_same("abc", 0);
  text.append_same("de", 3);  // goes on
  text.append_changed("xyz", {5, 7});
  text.append_same("f", 9);  // two bytes were left out
  CHECK(text.text() == "__abcdexyzf");
  CHECK(text.original({0, 2}) == TextSpan{0, 0});
  CHECK(text.original({1, 4}) == TextSpan{0, 2});
  CHECK(text.original({3, 6}) == TextSpan{1, 4});
  CHECK(text.original({8, 9}) == TextSpan{5, 7});
  CHECK(text.original({6, 11}) == TextSpan{4, 10});
  CHECK(text.original({10, 10}) == TextSpan{9, 9});
  text.clear();
  CHECK(text.original({0, 0}) == TextSpan{0, 0});
}

TEST_CASE(
    "normalized_text: a hint changes nothing, and two steps seen through give what they give one after the other") {
  std::mt19937 random(9);
  const auto step = [&](const std::string& from) {
    NormalizedText made;
    for (std::size_t at = 0; at < from.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 4, from.size() - at);
      const auto begin = static_cast<Index>(at), end = static_cast<Index>(at + size);
      switch (random() % 5) {
        case 0:
          made.append_changed("XY", {begin, end});
          break;
        case 1:
          break;  // left out
        case 2:
          made.append_changed("+", {begin, begin});
          [[fallthrough]];
        default:
          made.append_same(std::string_view(from).substr(at, size), begin);
      }
      at += size;
    }
    return made;
  };
  for (int round = 0; round < 500; ++round) {
    const NormalizedText first = step("abcdefghijklmnopqrst");
    const NormalizedText second = step(first.text());
    NormalizedText both = second;
    both.look_through(first);
    const Index size = static_cast<Index>(second.text().size());
    std::size_t hint = 0;
    for (int i = 0; i < 30 && size > 0; ++i) {
      const Index begin = static_cast<Index>(random()) % size, end = begin + 1;
      const TextSpan middle = second.original({begin, end});
      CHECK(both.original({begin, end}, hint) == both.original({begin, end}));
      if (middle.begin < middle.end) CHECK(both.original({begin, end}) == first.original(middle));
    }
  }
}

}  // namespace normalized_text_test
