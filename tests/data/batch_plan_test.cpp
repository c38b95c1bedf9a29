// SPDX-License-Identifier: MIT
// Steps and micro-batches: every row once an epoch, whole, with the next token as its target; the same from any point.
#include "temper/data/batch_plan.hpp"
#include <doctest/doctest.h>

#include <algorithm>

namespace temper::batch_plan_test {

// Row i has length 2 + i % 7, tokens 100 i + position, and all but the first are learned.
Dataset rows(Index count) {
  Dataset dataset;
  for (Index i = 0; i < count; ++i) {
    Row row;
    for (Index t = 0; t < 2 + i % 7; ++t) row.tokens.push_back(static_cast<TokenId>(100 * i + t));
    row.labels.assign(row.tokens.size(), 1);
    row.labels[0] = 0;
    dataset.rows.push_back(row);
  }
  return dataset;
}

BatchSettings settings(Packing packing, Shuffle shuffle) {
  return {
      .batch_size = 2, .gradient_accumulation = 3, .max_length = 12, .packing = packing, .shuffle = shuffle, .seed = 1};
}

std::vector<Index> taken(const EpochPlan& epoch) {
  std::vector<Index> all;
  for (Index s = 0; s < epoch.steps(); ++s)
    for (const MicroBatch& batch : epoch.step(s)) all.insert(all.end(), batch.rows.begin(), batch.rows.end());
  return all;
}

TEST_CASE("batch plan: a step takes batch_size x gradient_accumulation rows, the last one what is left") {
  const Dataset dataset = rows(15);
  const BatchPlan plan(dataset, settings(Packing::off, Shuffle::off));
  CHECK(plan.steps_per_epoch(0) == 3);
  const EpochPlan epoch = plan.epoch(0);
  CHECK(epoch.step(0).size() == 3);
  CHECK(epoch.step(0)[1].rows == std::vector<Index>{2, 3});
  REQUIRE(epoch.step(2).size() == 2);
  CHECK(epoch.step(2)[1].rows == std::vector<Index>{14});
  CHECK_THROWS_AS(epoch.step(3), Error);
}

TEST_CASE("batch plan: documents are whole, each position's target is the next token, the last has none") {
  const Dataset dataset = rows(3);
  const BatchPlan plan(dataset, settings(Packing::on, Shuffle::off));
  const MicroBatch batch = plan.epoch(0).step(0)[0];
  CHECK(batch.tokens == std::vector<TokenId>{0, 1, 100, 101, 102, 200, 201, 202, 203});
  CHECK(batch.targets == std::vector<TokenId>{1, 0, 101, 102, 0, 201, 202, 203, 0});
  CHECK(batch.supervised == std::vector<std::uint8_t>{1, 0, 1, 1, 0, 1, 1, 1, 0});
  CHECK(batch.document_starts == std::vector<Index>{0, 2, 5, 9});
  CHECK(batch.supervised_tokens() == 6);
}

TEST_CASE("batch plan: every row comes once an epoch, however it is packed and shuffled") {
  const Dataset dataset = rows(50);
  for (const Packing packing : {Packing::off, Packing::on})
    for (const Shuffle shuffle : {Shuffle::off, Shuffle::on})
      for (Index e = 0; e < 3; ++e) {
        const EpochPlan epoch = BatchPlan(dataset, settings(packing, shuffle)).epoch(e);
        std::vector<Index> all = taken(epoch);
        std::sort(all.begin(), all.end());
        CHECK(all.size() == 50);
        for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i] == static_cast<Index>(i));
        for (const auto& unit : epoch.units()) {
          Index tokens = 0;
          for (const Index row : unit) tokens += std::ssize(dataset.rows[static_cast<std::size_t>(row)].tokens);
          CHECK(tokens <= 12);
        }
      }
}

TEST_CASE("batch plan: epochs differ when shuffled, and each is the same every time") {
  const Dataset dataset = rows(50);
  const BatchPlan plan(dataset, settings(Packing::on, Shuffle::on));
  CHECK(taken(plan.epoch(0)) == taken(plan.epoch(0)));
  CHECK(taken(plan.epoch(0)) != taken(plan.epoch(1)));
  const BatchPlan filed(dataset, settings(Packing::on, Shuffle::off));
  CHECK(taken(filed.epoch(0)) == taken(filed.epoch(1)));
}

TEST_CASE("batch plan: the largest shapes cover every micro-batch of the run and are met in it") {
  const Dataset dataset = rows(50);
  for (const Packing packing : {Packing::off, Packing::on}) {
    const BatchPlan plan(dataset, settings(packing, Shuffle::on));
    const auto largest = plan.largest_shapes(3, 1000);
    std::vector<BatchShape> met;
    for (Index e = 0; e < 3; ++e) {
      const EpochPlan epoch = plan.epoch(e);
      for (Index s = 0; s < epoch.steps(); ++s) {
        const auto batches = epoch.step(s);
        const auto shapes = epoch.shapes(s);
        REQUIRE(batches.size() == shapes.size());
        for (std::size_t i = 0; i < batches.size(); ++i) {
          CHECK(shape_of(batches[i].host()) == shapes[i]);
          met.push_back(shapes[i]);
        }
      }
    }
    for (const BatchShape& shape : met) {
      const auto covers = [&](const BatchShape& l) {
        return shape.tokens <= l.tokens && shape.documents <= l.documents && shape.supervised <= l.supervised &&
               shape.longest <= l.longest;
      };
      CHECK(std::any_of(largest.begin(), largest.end(), covers));
    }
    for (const BatchShape& shape : largest) CHECK(std::count(met.begin(), met.end(), shape) > 0);
  }
  const BatchPlan plan(dataset, settings(Packing::off, Shuffle::off));
  CHECK(plan.largest_shapes(1, 1).size() <= plan.epoch(0).shapes(0).size());
}

TEST_CASE("batch plan: no rows, or batches of none, are refused") {
  const Dataset empty;
  CHECK_THROWS_AS(BatchPlan(empty, {}), Error);
  const Dataset dataset = rows(1);
  CHECK_THROWS_AS(BatchPlan(dataset, {.batch_size = 0}), Error);
}

}  // namespace temper::batch_plan_test
