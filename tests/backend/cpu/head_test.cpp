// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/head.hpp"

#include <doctest/doctest.h>

#include "support/workbench.hpp"

namespace head_test {

using namespace temper;

// Enough rows for two blocks of a small vocabulary, and a width that is no multiple of anything.
struct Sizes {
  Index rows, width, vocabulary;
};
constexpr Sizes sizes[] = {{1, 3, 2}, {7, 5, 33}, {3, 4, 2500}, {1030, 6, 19}};
constexpr CrossEntropy settings[] = {{0, 0}, {0.1, 0}, {0, 0.01}, {0.2, 0.001}};

template <class Real>
struct Head {
  Workbench<Real> bench;
  View<Cpu<Real>, Real, 2> hidden, weight, dhidden, dweight;
  View<Cpu<Real>, Real, 1> loss, nll, logp, lse, dlogp;
  std::vector<std::int32_t> hits;
  std::vector<TokenId> ids;
  View<Cpu<Real>, std::int32_t, 1> correct;

  explicit Head(const Sizes& s, int threads = 1)
      : bench(threads),
        hidden(bench.matrix(s.rows, s.width, 1)),
        weight(bench.matrix(s.vocabulary, s.width, 2)),
        dhidden(bench.unset(s.rows, s.width)),
        dweight(bench.matrix(s.vocabulary, s.width, 3)),
        loss(bench.unset(s.rows)),
        nll(bench.unset(s.rows)),
        logp(bench.unset(s.rows)),
        lse(bench.unset(s.rows)),
        dlogp(bench.vector(s.rows, 4)),
        hits(static_cast<std::size_t>(s.rows), -1),
        correct(hits.data(), {s.rows}) {
    std::fill_n(dweight.data, dweight.size(), Real(0));
    for (Index i = 0; i < s.rows; ++i) ids.push_back(static_cast<TokenId>(i * 7 % s.vocabulary));
  }
  View<Cpu<Real>, const TokenId, 1> targets() const { return list_of(ids, Real{}); }
  void train(CrossEntropy c, Real scale = 1) {
    cross_entropy(bench.ctx, loss, nll, correct, into(dhidden), dweight, hidden, weight, targets(), c, scale);
  }
  void evaluate(CrossEntropy c) {
    cross_entropy(bench.ctx, loss, nll, correct, {}, {}, hidden, weight, targets(), c, 1);
  }
  double sum_of_losses() const {
    double sum = 0;
    for (Index i = 0; i < loss.size(); ++i) sum += static_cast<double>(loss(i));
    return sum;
  }
};

// lse, loss and place of the largest logit by the formulas, in double.
template <class Real>
double error_of_losses(const Head<Real>& head, CrossEntropy c) {
  double largest = 0;
  for (Index i = 0; i < head.hidden.rows(); ++i) {
    std::vector<double> z;
    double sum = 0, mean = 0;
    for (Index v = 0; v < head.weight.rows(); ++v) {
      double dot_product = 0;
      for (Index j = 0; j < head.hidden.cols(); ++j)
        dot_product += static_cast<double>(head.hidden(i, j)) * static_cast<double>(head.weight(v, j));
      z.push_back(dot_product);
      sum += std::exp(dot_product);
      mean += dot_product / static_cast<double>(head.weight.rows());
    }
    const double lse = std::log(sum), own = z[static_cast<std::size_t>(head.ids[static_cast<std::size_t>(i)])];
    const double loss = (1 - c.smoothing) * (lse - own) + c.smoothing * (lse - mean) + c.z_loss * lse * lse;
    largest = std::max({largest, std::abs(loss - static_cast<double>(head.loss(i))),
                        std::abs(lse - own - static_cast<double>(head.nll(i)))});
    const bool hit = std::max_element(z.begin(), z.end()) - z.begin() == head.ids[static_cast<std::size_t>(i)];
    CHECK(head.correct(i) == (hit ? 1 : 0));
  }
  return largest;
}

TEST_CASE("head: cross entropy with smoothing and z-loss equals its formula") {
  for (const Sizes& s : sizes)
    for (const CrossEntropy& c : settings) {
      Head<double> exact(s);
      exact.train(c);
      CHECK(error_of_losses(exact, c) < 1e-13);
      Head<float> rounded(s);
      rounded.train(c);
      CHECK(error_of_losses(rounded, c) < 2e-6);
    }
}

TEST_CASE("head: gradients of cross entropy match central differences") {
  for (const CrossEntropy& c : settings) {
    Head<double> head({7, 5, 33});
    head.train(c);
    const auto loss = [&] {
      head.evaluate(c);
      return head.sum_of_losses();
    };
    CHECK(gradient_error(head.hidden, head.dhidden, loss) < 1e-8);
    CHECK(gradient_error(head.weight, head.dweight, loss) < 1e-8);
  }
}

TEST_CASE("head: gradients in float are those in double, rounded, and take the scale") {
  for (const Sizes& s : sizes) {
    Head<double> exact(s);
    exact.train({0.1, 0.001}, 0.25);
    Head<float> rounded(s);
    rounded.train({0.1, 0.001}, 0.25f);
    CHECK(largest_difference(exact.dhidden, rounded.dhidden) < 1e-6);
    CHECK(largest_difference(exact.dweight, rounded.dweight) < 1e-5);
  }
}

TEST_CASE("head: evaluation has the losses of training, bit for bit") {
  for (const Sizes& s : sizes) {
    Head<float> train(s), evaluate(s);
    train.train({0.1, 0.01});
    evaluate.evaluate({0.1, 0.01});
    CHECK(same_bits(train.loss, evaluate.loss));
    CHECK(same_bits(train.nll, evaluate.nll));
    CHECK(train.hits == evaluate.hits);
  }
}

TEST_CASE("head: the lowest of equal logits wins") {
  Head<float> head({3, 2, 4});
  for (Index i = 0; i < 3; ++i) head.hidden(i, 0) = 1, head.hidden(i, 1) = 0;
  for (Index v = 0; v < 4; ++v) head.weight(v, 0) = v == 1 || v == 2 ? 1.0f : 0.0f;
  head.ids = {1, 2, 0};
  head.evaluate({});
  CHECK(head.hits == std::vector<std::int32_t>{1, 0, 0});
}

TEST_CASE("head: log probabilities and their gradients match the formula and central differences") {
  for (const Sizes& s : sizes) {
    Head<double> head(s);
    log_probs(head.bench.ctx, head.logp, head.lse, head.hidden, head.weight, head.targets());
    head.evaluate({});
    for (Index i = 0; i < s.rows; ++i) CHECK(head.logp(i) == -head.nll(i));
  }
  Head<double> head({7, 5, 33});
  const auto loss = [&] {
    log_probs(head.bench.ctx, head.logp, head.lse, head.hidden, head.weight, head.targets());
    return dot(head.logp, head.dlogp);
  };
  loss();
  log_probs_backward(head.bench.ctx, head.dhidden, head.dweight, head.dlogp, head.lse, head.hidden, head.weight,
                     head.targets());
  CHECK(gradient_error(head.hidden, head.dhidden, loss) < 1e-8);
  CHECK(gradient_error(head.weight, head.dweight, loss) < 1e-8);
}

TEST_CASE("head: the gradient onto the weight continues where the last micro-batch stopped, bit for bit") {
  const Sizes whole{1030, 6, 19};
  Head<float> once(whole), twice(whole);
  once.train({});
  // A cut inside a block of logits.
  const Index cuts[] = {0, 500, 1030};
  for (int part = 0; part < 2; ++part) {
    const Index begin = cuts[part], end = cuts[part + 1];
    cross_entropy(twice.bench.ctx, twice.loss.slice(begin, end), twice.nll.slice(begin, end),
                  twice.correct.slice(begin, end), into(twice.dhidden.slice(begin, end)), twice.dweight,
                  twice.hidden.slice(begin, end), twice.weight, twice.targets().slice(begin, end), {}, 1);
  }
  CHECK(same_bits(once.dweight, twice.dweight));
  CHECK(same_bits(once.dhidden, twice.dhidden));
  CHECK(same_bits(once.loss, twice.loss));
}

TEST_CASE("head: bits do not depend on threads") {
  for (const Sizes& s : sizes) {
    Head<float> one(s);
    one.train({0.1, 0.01});
    for (const int threads : {2, 3}) {
      Head<float> more(s, threads);
      more.train({0.1, 0.01});
      CHECK(same_bits(one.loss, more.loss));
      CHECK(same_bits(one.dhidden, more.dhidden));
      CHECK(same_bits(one.dweight, more.dweight));
    }
  }
}

TEST_CASE("head: dhidden can be added to") {
  Head<float> head({7, 5, 33});
  head.train({});
  const auto before = head.bench.clone(head.dhidden);
  cross_entropy(head.bench.ctx, head.loss, head.nll, head.correct, onto(head.dhidden), {}, head.hidden, head.weight,
                head.targets(), {}, 1);
  for (Index i = 0; i < before.size(); ++i) CHECK(head.dhidden.data[i] == doctest::Approx(2 * before.data[i]));
}

TEST_CASE("head: no row of logits beyond the block is held, whatever the number of rows") {
  CHECK(logits_rows(151936) == 256);
  CHECK(logits_rows(32000) == 1024);
  CHECK(logits_rows(19) == 1024);
  CHECK(logits_rows(10'000'000) == 16);
  for (const Index rows : {Index{3000}, Index{300}}) {
    Workbench<float> plan(1, Execution::planning);
    const auto hidden = keep<float>(plan.ctx, rows, 64), weight = keep<float>(plan.ctx, 151936, 64);
    const auto loss = keep<float>(plan.ctx, rows);
    const auto correct = keep<std::int32_t>(plan.ctx, rows);
    const auto targets = keep<TokenId>(plan.ctx, rows);
    cross_entropy(plan.ctx, loss, loss, correct, into(hidden), weight, hidden, weight, targets, {}, 1);
    CHECK(plan.ctx.arena().peak() - plan.ctx.arena().kept() == std::size_t{256} * 151936 * sizeof(float));
  }
}

TEST_CASE("head: planning counts the operations of running") {
  const Sizes s{1030, 6, 19};
  Head<float> head(s);
  head.train({});
  Workbench<float> plan(1, Execution::planning);
  const auto hidden = keep<float>(plan.ctx, s.rows, s.width), weight = keep<float>(plan.ctx, s.vocabulary, s.width);
  const auto loss = keep<float>(plan.ctx, s.rows);
  const auto correct = keep<std::int32_t>(plan.ctx, s.rows);
  const auto targets = keep<TokenId>(plan.ctx, s.rows);
  cross_entropy(plan.ctx, loss, loss, correct, into(hidden), weight, hidden, weight, targets, {}, 1);
  REQUIRE(plan.ctx.operations().size() == head.bench.ctx.operations().size());
  for (std::size_t i = 0; i < plan.ctx.operations().size(); ++i) {
    CHECK(plan.ctx.operations()[i].calls == head.bench.ctx.operations()[i].calls);
    CHECK(plan.ctx.operations()[i].cost.flops == head.bench.ctx.operations()[i].cost.flops);
  }
}

TEST_CASE("head: targets and shapes that do not fit are refused") {
  Head<float> head({3, 2, 4});
  head.ids[1] = 4;
  CHECK_THROWS_AS(head.train({}), Error);
  head.ids[1] = -1;
  CHECK_THROWS_AS(head.evaluate({}), Error);
  head.ids.pop_back();
  CHECK_THROWS_AS(head.evaluate({}), Error);
}

TEST_CASE("head: no rows give no losses and no gradient") {
  Head<float> head({0, 2, 4});
  head.train({});
  for (Index i = 0; i < head.dweight.size(); ++i) CHECK(head.dweight.data[i] == 0);
}

}  // namespace head_test
