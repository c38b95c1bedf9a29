// SPDX-License-Identifier: MIT
#include "temper/data/word_cache.hpp"
#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

namespace word_cache_test {

using namespace temper;

std::shared_ptr<const BytePairModel> model_of(std::vector<std::string> texts, const BytePairModel::MergeTexts& merges) {
  Vocabulary vocabulary;
  for (std::string& text : texts) {
    const auto id = static_cast<std::int64_t>(vocabulary.size());
    vocabulary.add(std::move(text), id, "test");
  }
  return std::make_shared<const BytePairModel>(std::move(vocabulary), merges, BytePairModel::Settings{}, "test");
}

std::vector<WordToken> tokens_of(WordCache& cache, std::string_view word) {
  std::vector<WordToken> found;
  cache.encode(word, [&](const WordToken& token) { found.push_back(token); });
  return found;
}

bool same(const std::vector<WordToken>& found, const BytePairModel& model, std::string_view word) {
  MergeScratch scratch;
  std::vector<WordToken> expected;
  model.encode(word, scratch, expected);
  return std::equal(
      found.begin(), found.end(), expected.begin(), expected.end(),
      [](const WordToken& a, const WordToken& b) { return a.id == b.id && a.begin == b.begin && a.end == b.end; });
}

TEST_CASE("word_cache: the first, the second and every later time a word has the model's tokens") {
  const auto model = model_of({"a", "b", "ab", "aab"}, {{"a", "b"}, {"a", "ab"}});
  WordCache cache;
  cache.use(model);
  std::mt19937 random(11);
  int wrong = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string word;
    for (std::size_t size = 1 + random() % 12; size > 0; --size) word += random() % 2 == 0 ? 'a' : 'b';
    if (!same(tokens_of(cache, word), *model, word)) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("word_cache: words of any length, and more words than it holds") {
  const auto model = model_of({"a", "b", "ab"}, {{"a", "b"}});
  WordCache cache;
  cache.use(model);
  std::mt19937 random(12);
  std::string text;
  for (int i = 0; i < 6'000'000; ++i) text += (random() & 1u) != 0 ? 'a' : 'b';
  int wrong = 0;
  for (std::size_t at = 0; at + 300 < text.size(); at += 127) {  // 47,000 words of 127 bytes are more than 4 MiB
    const std::string_view word = std::string_view(text).substr(at, at % 5 == 0 ? 129 : 127);
    const auto found = tokens_of(cache, word);
    if (at % 97 == 0 && !same(found, *model, word)) ++wrong;
  }
  for (const std::size_t size : {1u, 127u, 128u, 129u, 300u}) {
    const std::string_view word = std::string_view(text).substr(0, size);
    for (int again = 0; again < 2; ++again)
      if (!same(tokens_of(cache, word), *model, word)) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("word_cache: another model's tokens are not taken from what was kept") {
  const auto merging = model_of({"a", "b", "ab"}, {{"a", "b"}}), plain = model_of({"b", "a"}, {});
  WordCache cache;
  for (const auto& model : {merging, plain, merging, merging}) {
    cache.use(model);
    CHECK(same(tokens_of(cache, "abab"), *model, "abab"));
  }
  CHECK(tokens_of(cache, "abab").size() == 2);
}

TEST_CASE("word_cache: words of one beginning and one end but of another length or middle are told apart") {
  const auto model = model_of({"a", "b"}, {});
  WordCache cache;
  cache.use(model);
  int wrong = 0;
  for (int again = 0; again < 2; ++again) {
    for (std::size_t size = 1; size <= 40; ++size) {
      for (std::size_t place = 0; place <= size; ++place) {
        std::string word(size, 'a');
        if (place < size) word[place] = 'b';
        if (!same(tokens_of(cache, word), *model, word)) ++wrong;
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("word_cache: one token for a part of a word keeps its place") {
  const auto model = model_of({"a"}, {});
  WordCache cache;
  cache.use(model);
  for (int again = 0; again < 2; ++again) {
    const auto found = tokens_of(cache, "zaz");
    REQUIRE(found.size() == 1);
    CHECK(found[0].begin == 1);
    CHECK(found[0].end == 2);
  }
}

TEST_CASE("word_cache: a word without any known byte has no tokens, again and again") {
  const auto model = model_of({"a"}, {});
  WordCache cache;
  cache.use(model);
  for (int again = 0; again < 3; ++again) CHECK(tokens_of(cache, "zz").empty());
  CHECK(tokens_of(cache, "aa").size() == 2);
}

}  // namespace word_cache_test
