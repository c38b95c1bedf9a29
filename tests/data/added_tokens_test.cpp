// SPDX-License-Identifier: MIT
// Rows are texts and what is found in them: plain pieces as they are, tokens as <id:bytes>.
#include "temper/data/added_tokens.hpp"
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace added_tokens_test {

using namespace temper;

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string pieces(const AddedTokens& tokens, AddedTokenStage stage, std::string_view text) {
  PatternScratch scratch;
  std::string shown;
  Index covered = 0;
  tokens.split(stage, text, scratch, [&](const AddedTokens::Piece& piece) {
    CHECK(piece.begin == covered);
    CHECK(piece.begin < piece.end);
    covered = piece.end;
    const std::string_view bytes =
        text.substr(static_cast<std::size_t>(piece.begin), static_cast<std::size_t>(piece.end - piece.begin));
    shown += piece.token ? fmt::format("<{}:{}>", piece.token->id, bytes) : fmt::format("({})", bytes);
  });
  CHECK(covered == static_cast<Index>(text.size()));
  return shown;
}

void check(std::vector<AddedToken> list, const Rows& rows) {
  const AddedTokens tokens(std::move(list), Normalizer());
  for (const auto& row : rows) {
    const std::string& text = row.first;
    CAPTURE(text);
    CHECK(pieces(tokens, AddedTokenStage::as_written, text) == row.second);
  }
}

AddedToken token(std::string content, TokenId id) {
  AddedToken made;
  made.content = std::move(content);
  made.id = id;
  return made;
}

TEST_CASE("added_tokens: the leftmost match counts, and of those the longest") {
  check({token("<s>", 1), token("<s><s>", 2), token("<", 3), token("s>x", 4), token("abcd", 5), token("bc", 6)},
        {{"", ""},
         {"plain", "(plain)"},
         {"a<s>b", "(a)<1:<s>>(b)"},
         {"<s><s><s>", "<2:<s><s>><1:<s>>"},
         {"<s", "<3:<>(s)"},
         {"s>x", "<4:s>x>"},
         {"<s>x", "<1:<s>>(x)"},    // s>x starts later
         {"abce", "(a)<6:bc>(e)"},  // abcd fails at its last byte
         {"abcabcd", "(a)<6:bc><5:abcd>"},
         {"<<s>", "<3:<><1:<s>>"}});
}

TEST_CASE("added_tokens: many tokens with one beginning are told apart") {
  std::vector<AddedToken> list;
  for (int i = 999; i >= 0; --i) list.push_back(token(fmt::format("<|reserved_{}|>", i), i));
  const AddedTokens tokens(std::move(list), Normalizer());
  for (int i = 0; i < 1000; ++i) {
    const std::string text = fmt::format("<|reserved_{}|>", i);
    CHECK(pieces(tokens, AddedTokenStage::as_written, text) == fmt::format("<{}:{}>", i, text));
  }
  CHECK(pieces(tokens, AddedTokenStage::as_written, "<|reserved_1000|>") == "(<|reserved_1000|>)");
}

TEST_CASE("added_tokens: lstrip and rstrip take white space that is not taken") {
  AddedToken left = token("<l>", 1), right = token("<r>", 2), both = token("<b>", 3);
  left.lstrip = both.lstrip = true;
  right.rstrip = both.rstrip = true;
  check({left, right, both}, {{"a \t<l> b", "(a)<1: \t<l>>( b)"},
                              {"a <r>\n b", "(a )<2:<r>\n >(b)"},
                              {"a <b> b", "(a)<3: <b> >(b)"},
                              {"  <l>", "<1:  <l>>"},
                              {"<r>  ", "<2:<r>  >"},
                              {"<r>  <l>", "<2:<r>  ><1:<l>>"},  // the first takes it
                              {"<l>  <l>", "<1:<l>><1:  <l>>"},
                              {"<b> <b>", "<3:<b> ><3:<b>>"},
                              {"x\xe3\x80\x80<l>", "(x)<1:\xe3\x80\x80<l>>"},
                              {"<r>\xc2\x85z", "<2:<r>\xc2\x85>(z)"},
                              {"\xe2\x80\x8b<l>", "(\xe2\x80\x8b)<1:<l>>"}});  // of no width, but not white
}

TEST_CASE("added_tokens: single_word is not taken beside a letter, mark, digit or connector") {
  AddedToken word = token("word", 1);
  word.single_word = true;
  check({word, token("xx", 2)}, {{"word", "<1:word>"},
                                 {"a word.", "(a )<1:word>(.)"},
                                 {"aword", "(aword)"},
                                 {"words", "(words)"},
                                 {"word_", "(word_)"},
                                 {"1word", "(1word)"},
                                 {"word\xcc\x81", "(word\xcc\x81)"},
                                 {"\xc3\xa9word", "(\xc3\xa9word)"},
                                 {"\xc2\xb2word", "(\xc2\xb2)<1:word>"},  // a superscript is no decimal digit
                                 {"\xe4\xbd\xa0word", "(\xe4\xbd\xa0word)"},
                                 {"wordword word", "(wordword )<1:word>"},
                                 {"xxword", "<2:xx>(word)"}});  // looks at the text, not at what was found
}

TEST_CASE("added_tokens: those that are normalized are looked for in the second stage, in normal form") {
  AddedToken written = token("cafe\xcc\x81", 1), normal = token("cafe\xcc\x81!", 2);
  normal.normalized = true;
  const AddedTokens tokens({written, normal}, Normalizer(UnicodeForm::nfc));
  CHECK(pieces(tokens, AddedTokenStage::as_written, "cafe\xcc\x81!") == "<1:cafe\xcc\x81>(!)");
  CHECK(pieces(tokens, AddedTokenStage::as_written, "caf\xc3\xa9!") == "(caf\xc3\xa9!)");
  CHECK(pieces(tokens, AddedTokenStage::normalized, "caf\xc3\xa9!") == "<2:caf\xc3\xa9!>");
  CHECK(pieces(tokens, AddedTokenStage::normalized, "cafe\xcc\x81!") == "(cafe\xcc\x81!)");
}

TEST_CASE("added_tokens: of equal texts a special one counts, else the first") {
  AddedToken special = token("x", 2);
  special.special = true;
  check({token("x", 1), special, token("y", 3), token("y", 4)}, {{"xy", "<2:x><3:y>"}});
}

}  // namespace added_tokens_test
