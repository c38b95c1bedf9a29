// SPDX-License-Identifier: MIT
#include "temper/data/bpe.hpp"
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace temper;

namespace {

struct Made {
  std::vector<std::string> texts{"a", "b", "c"};
  BytePairModel::MergeTexts merges;
};

// Merges of tokens that exist, in an order that training would never give: results may come before their parts.
Made random_merges(std::mt19937& random) {
  Made made;
  for (int i = 0; i < 25; ++i) {
    const std::string left = made.texts[random() % made.texts.size()], right = made.texts[random() % made.texts.size()];
    if (left.size() + right.size() > 9) continue;
    made.merges.emplace_back(left, right);
    const std::string joined = left + right;
    if (std::find(made.texts.begin(), made.texts.end(), joined) == made.texts.end()) made.texts.push_back(joined);
  }
  std::shuffle(made.merges.begin(), made.merges.end(), random);
  return made;
}

BytePairModel model_of(const Made& made) {
  Vocabulary vocabulary;
  for (std::size_t i = 0; i < made.texts.size(); ++i)
    vocabulary.add(std::string(made.texts[i]), static_cast<std::int64_t>(i), "test");
  return BytePairModel(std::move(vocabulary), made.merges, {}, "test");
}

// The definition: the pair with the lowest rank, leftmost, until there is none. A repeated merge has its last rank.
std::vector<std::string> by_definition(const Made& made, std::string_view word) {
  std::vector<std::string> parts;
  for (const char c : word) parts.emplace_back(1, c);
  for (;;) {
    std::size_t best = made.merges.size(), place = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i)
      for (std::size_t rank = made.merges.size(); rank-- > 0;)
        if (made.merges[rank].first == parts[i] && made.merges[rank].second == parts[i + 1]) {
          if (rank < best) best = rank, place = i;
          break;
        }
    if (best == made.merges.size()) return parts;
    parts[place] += parts[place + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

}  // namespace

TEST_CASE("bpe: words of every length are merged by the definition, whatever the order of merges") {
  std::mt19937 random(5);
  MergeScratch scratch;
  for (int round = 0; round < 60; ++round) {
    const Made made = random_merges(random);
    const BytePairModel model = model_of(made);
    for (const std::size_t size : {1u, 2u, 7u, 47u, 48u, 49u, 50u, 90u, 150u}) {
      std::string word;
      while (word.size() < size) word += static_cast<char>('a' + random() % 3);
      std::vector<WordToken> tokens;
      model.encode(word, scratch, tokens);
      std::vector<std::string> parts;
      std::uint32_t end = 0;
      for (const WordToken& token : tokens) {
        parts.push_back(*model.vocabulary().text_of(token.id));
        CHECK(token.begin == end);
        end = token.end;
        CHECK(word.substr(token.begin, token.end - token.begin) == parts.back());
      }
      CAPTURE(word);
      CHECK(end == word.size());
      CHECK(parts == by_definition(made, word));
    }
  }
}

TEST_CASE("bpe: the merge table finds what was set last") {
  MergeTable table;
  for (TokenId i = 0; i < 2000; ++i) table.set(i, i / 3, {static_cast<std::uint32_t>(i), i});
  table.set(7, 2, {99, 98});
  for (TokenId i = 0; i < 2000; ++i) {
    const Merge* const found = table.find(i, i / 3);
    REQUIRE(found != nullptr);
    CHECK(found->into == (i == 7 ? 98 : i));
    CHECK(table.find(i, i / 3 + 1) == nullptr);
  }
}
