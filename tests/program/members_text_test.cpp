// SPDX-License-Identifier: MIT
// What 'temper inspect' says of a manifest and of configurations: nested lines, long values shortened.
#include "members_text.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace temper_cli::members_text_test {

using temper::Json;

TEST_CASE("members text: a line a member, nested ones below it, and what is named by its name") {
  CHECK(members_text({{"steps", 12},
                      {"rows", {{"training", 120}, {"dropped", 0}}},
                      {"targets", {"q_proj", "v_proj"}},
                      {"holders", {{{"name", "gradients"}, {"bytes", 64}}, {{"name", "optimizer"}, {"bytes", 128}}}},
                      {"none", Json::object()}},
                     2) ==
        "  steps    12\n"
        "  rows\n"
        "    training  120\n"
        "    dropped   0\n"
        "  targets  q_proj, v_proj\n"
        "  holders\n"
        "    gradients  64\n"
        "    optimizer  128\n"
        "  none     {}\n");
  CHECK(members_text(Json::array({1, 2}), 0).empty());
}

TEST_CASE("members text: long values are cut at a word, and say what was left out") {
  std::string words;
  for (int i = 0; i < 100; ++i) words += "word ";
  CHECK(members_text({{"a", words}}, 0) == "a  " + words.substr(0, 99) + " ... and 401 more bytes\n");
  const std::string umlauts = [] {
    std::string text = "x";
    for (int i = 0; i < 100; ++i) text += "\xc3\xb6";
    return text;
  }();
  CHECK(members_text({{"a", umlauts}}, 0) == "a  " + umlauts.substr(0, 99) + " ... and 102 more bytes\n");
  Json numbers = Json::array();
  for (int i = 0; i < 1000; ++i) numbers.push_back(7);
  const std::string list = members_text({{"a", numbers}}, 0);
  CHECK(list.size() < 130);
  CHECK(list.find(", 7 and 9") != std::string::npos);
  Json many = Json::object(), objects = Json::array();
  for (int i = 0; i < 103; ++i) {
    many[std::to_string(i)] = i;
    objects.push_back({{"name", "same"}, {"bytes", i}});
  }
  CHECK(members_text(many, 2).ends_with("  99   99\n  ... and 3 more\n"));
  CHECK(members_text({{"of", objects}}, 0).ends_with("  ... and 3 more\n"));
}

TEST_CASE("members text: no control character, however deep it stands") {
  Json deep = {{"end\x1b[31m", "\x07"}};
  for (int i = 0; i < 100; ++i) deep = {{"in\x1b", deep}};
  const std::string text = members_text(deep, 0) + members_text({{"end\x1b[31m", "\x07"}}, 0);
  CHECK(std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || static_cast<unsigned char>(c) >= 32; }));
}

}  // namespace temper_cli::members_text_test
