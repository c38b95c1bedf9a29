// SPDX-License-Identifier: MIT
#include "temper/objective/pairs.hpp"

#include <doctest/doctest.h>

#include "support/pair_objectives.hpp"
#include "support/workbench.hpp"

namespace pairs_test {

using namespace temper_test;

// Log-probabilities of four documents: two pairs, of different lengths.
template <class Real>
struct Pairs {
  Workbench<Real> bench;
  std::vector<Real> token = {-1, -2, -3, -0.5f, -0.25f, -4, -1};
  std::vector<std::int32_t> sequence_of = {0, 0, 1, 2, 2, 2, 3};
  std::vector<Real> slope = std::vector<Real>(7, 9);

  Loss run(const auto& objective, double denominator = 2) {
    const Index tokens = std::ssize(token);
    const LogProbs<Cpu<Real>> logp{{token.data(), {tokens}}, {sequence_of.data(), {tokens}}, 4};
    return objective.loss(bench.ctx, logp, PairBatch<Cpu<Real>>{2, denominator},
                          View<Cpu<Real>, Real, 1>(slope.data(), {tokens}));
  }
};

TEST_CASE_TEMPLATE("pairs: a formula sees each side's sum, and its slopes reach each token of that side", Real, float,
                   double) {
  Pairs<Real> pairs;
  const Loss loss = pairs.run(PlainDpo{.beta = 1});
  const double first = -3 - -3.0, second = -4.75 - -1.0;
  CHECK(loss.sum == doctest::Approx(softplus(-first) + softplus(-second)));
  CHECK(loss.count == 2);
  CHECK(loss.correct == 0);
  const double a = sigmoid(-first) / 2, b = sigmoid(-second) / 2;
  const std::vector<double> expected = {-a, -a, a, -b, -b, -b, b};
  for (std::size_t t = 0; t < 7; ++t)
    CHECK(static_cast<double>(pairs.slope[t]) == doctest::Approx(expected[t]).epsilon(1e-6));
}

TEST_CASE("pairs: with means, a token's slope is that of its document over its length") {
  Pairs<double> pairs;
  const Loss loss = pairs.run(SimPo{.beta = 1, .margin = 0}, 3);
  const double first = -1.5 - -3, second = -4.75 / 3 - -1;
  CHECK(loss.sum == doctest::Approx(softplus(-first) + softplus(-second)).epsilon(1e-12));
  CHECK(loss.correct == 1);
  CHECK(pairs.slope[0] == doctest::Approx(-sigmoid(-first) / 2 / 3).epsilon(1e-12));
  CHECK(pairs.slope[2] == doctest::Approx(sigmoid(-first) / 3).epsilon(1e-12));
  CHECK(pairs.slope[4] == doctest::Approx(-sigmoid(-second) / 3 / 3).epsilon(1e-12));
}

TEST_CASE("pairs: slopes are the differences of the loss over the denominator") {
  Pairs<double> pairs;
  const SimPo objective;
  pairs.run(objective);
  const std::vector<double> slope = pairs.slope;
  for (std::size_t t = 0; t < 7; ++t) {
    const double before = pairs.token[t], h = 1e-5;
    pairs.token[t] = before + h;
    const double above = pairs.run(objective).sum / 2;
    pairs.token[t] = before - h;
    const double below = pairs.run(objective).sum / 2;
    pairs.token[t] = before;
    CHECK(slope[t] == doctest::Approx((above - below) / (2 * h)).epsilon(1e-7));
  }
}

TEST_CASE("pairs: where both sides are equal the loss is ln 2 a pair, and nobody wins") {
  Pairs<double> pairs;
  pairs.token = {-1, -2, -1, -2, -3, -3};
  pairs.sequence_of = {0, 0, 1, 1, 2, 3};
  const Loss loss = pairs.run(PlainDpo{});
  CHECK(loss.mean() == std::log(2.0));
  CHECK(loss.accuracy() == 0);
  CHECK(pairs.slope[0] == -pairs.slope[2]);
  CHECK(pairs.slope[4] == -0.1 / 2 / 2);
}

TEST_CASE("pairs: a document without supervised tokens counts as zero") {
  Pairs<double> pairs;
  pairs.token = {-1, -2};
  pairs.sequence_of = {0, 2};
  for (const Loss& loss : {pairs.run(PlainDpo{}), pairs.run(SimPo{})}) CHECK(std::isfinite(loss.sum));
  CHECK(pairs.run(PlainDpo{.beta = 1}).sum == doctest::Approx(softplus(1) + softplus(2)).epsilon(1e-12));
}

TEST_CASE("pairs: documents that are no pairs are refused") {
  Pairs<double> pairs;
  const LogProbs<Cpu<double>> logp{{pairs.token.data(), {7}}, {pairs.sequence_of.data(), {7}}, 3};
  const View<Cpu<double>, double, 1> slope(pairs.slope.data(), {7});
  CHECK_THROWS_WITH_AS(PlainDpo{}.loss(pairs.bench.ctx, logp, PairBatch<Cpu<double>>{1, 1}, slope),
                       doctest::Contains("3 documents for 1 pairs"), Error);
}

}  // namespace pairs_test
