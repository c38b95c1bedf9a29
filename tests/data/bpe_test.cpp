// SPDX-License-Identifier: MIT
#include "temper/data/bpe.hpp"
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace bpe_test {

using namespace temper;

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

using Ids = std::vector<TokenId>;

Ids ids_of(const BytePairModel& model, std::string_view word) {
  MergeScratch scratch;
  std::vector<WordToken> tokens;
  model.encode(word, scratch, tokens);
  Ids ids;
  for (const WordToken& token : tokens) ids.push_back(token.id);
  return ids;
}

BytePairModel characters(std::vector<std::string> texts, const BytePairModel::MergeTexts& merges,
                         BytePairModel::Settings settings = {}) {
  Vocabulary vocabulary;
  for (std::string& text : texts) {
    const auto id = static_cast<std::int64_t>(vocabulary.size());
    vocabulary.add(std::move(text), id, "test");
  }
  settings.alphabet = WordAlphabet::characters;
  return BytePairModel(std::move(vocabulary), merges, settings, "test");
}

std::vector<std::string> parts(const BytePairModel& model, std::string_view word) {
  std::vector<std::string> found;
  model.cut(word, [&](std::size_t begin, std::size_t end) { found.emplace_back(word.substr(begin, end - begin)); });
  return found;
}

const std::string start = "\xe2\x96\x81";  // U+2581

TEST_CASE("bpe: a text is cut where no merge reaches over") {
  using Texts = std::vector<std::string>;
  const std::vector<std::string> vocabulary{start, "a", "b", start + start, start + "a", "b" + start, "<0x41>"};
  const std::string text = start + "a" + start + start + "ab" + start + "c" + start;
  const Texts words{start + "a", start + start + "ab", start + "c", start};
  CHECK(parts(characters(vocabulary, {{start, "a"}, {start, start}}), text) == words);
  CHECK(parts(characters(vocabulary, {{start, start}, {"b", start}}), text) ==
        Texts{start + "a", start + start + "ab" + start + "c", start});
  CHECK(parts(characters(vocabulary, {{start, "a"}}), text) ==
        Texts{start + "a", start, start + "ab", start + "c", start});
  CHECK(parts(characters({"a", "b"}, {}), text) == Texts{text});  // without a token for it
  BytePairModel::Settings whole;
  whole.ignore_merges = true;
  CHECK(parts(characters(vocabulary, {}, whole), text) == Texts{text});
  CHECK(parts(characters({start, "<0x41>", "<0x41>" + start}, {{"<0x41>", start}}), text) == Texts{text});
}

TEST_CASE("bpe: cut or not, the tokens are the same") {
  std::mt19937 random(5);
  int cut = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> texts{start, "a", "b"};
    BytePairModel::MergeTexts merges;
    for (int i = 0; i < 12; ++i) {
      const std::string left = texts[random() % texts.size()], right = texts[random() % texts.size()];
      if (left.size() + right.size() > 15 || (random() % 4 != 0 && right.starts_with(start) && left != start)) continue;
      merges.emplace_back(left, right);
      if (std::find(texts.begin(), texts.end(), left + right) == texts.end()) texts.push_back(left + right);
    }
    const BytePairModel model = characters(texts, merges);
    std::string word;
    for (int i = 0; i < 60; ++i) word += random() % 3 == 0 ? start : random() % 2 == 0 ? "a" : "b";
    Ids together;
    model.cut(word, [&](std::size_t begin, std::size_t end) {
      const Ids part = ids_of(model, word.substr(begin, end - begin));
      together.insert(together.end(), part.begin(), part.end());
      if (end < word.size()) ++cut;
    });
    CHECK(together == ids_of(model, word));
  }
  CHECK(cut > 500);
}

TEST_CASE("bpe: prefixes and suffixes of symbols") {
  BytePairModel::Settings settings;
  settings.prefix = "##";
  settings.suffix = "</w>";
  const BytePairModel model = characters({"a", "##b", "##b</w>", "a</w>", "ab</w>", "ab", "##bb</w>"},
                                         {{"a", "##b</w>"}, {"a", "##b"}, {"##b", "##b</w>"}}, settings);
  CHECK(ids_of(model, "a") == Ids{3});
  CHECK(ids_of(model, "ab") == Ids{4});
  CHECK(ids_of(model, "abb") == Ids{5, 2});
  CHECK(ids_of(model, "abbb") == Ids{5, 6});
  CHECK(ids_of(model, "b").empty());
}

}  // namespace bpe_test
