// SPDX-License-Identifier: MIT
#include "temper/train/answers.hpp"

#include <doctest/doctest.h>

namespace answers_test {

using namespace temper;

const std::vector<Answer> answers = {{{1, 2}, {3}}, {{4}, {5, 6, 7}}, {{8, 9, 10}, {11, 12}, false}};

TEST_CASE("answers: a batch has the prompts and responses that are asked for, and supervises the responses alone") {
  const std::vector<Index> which = {2, 0};
  const MicroBatch batch = batch_of_answers(answers, which);
  CHECK(batch.tokens == std::vector<TokenId>{8, 9, 10, 11, 12, 1, 2, 3});
  CHECK(batch.supervised == std::vector<std::uint8_t>{0, 0, 1, 1, 0, 0, 1, 0});
  CHECK(batch.document_starts == std::vector<Index>{0, 5, 8});
  CHECK(batch.rows == which);
  CHECK(batch.supervised_tokens() == 3);
  CHECK_THROWS_AS(batch_of_answers(std::vector<Answer>{{{1}, {}}}, std::vector<Index>{0}), Error);
  CHECK_THROWS_AS(batch_of_answers(std::vector<Answer>{{{}, {1}}}, std::vector<Index>{0}), Error);
}

TEST_CASE("answers: micro-batches follow one another and the last takes what is left") {
  const std::vector<Index> which = {4, 3, 2, 1, 0};
  std::vector<std::vector<Index>> parts;
  over_answers(which, 2, [&](std::span<const Index> part) { parts.emplace_back(part.begin(), part.end()); });
  CHECK(parts == std::vector<std::vector<Index>>{{4, 3}, {2, 1}, {0}});
}

}  // namespace answers_test
