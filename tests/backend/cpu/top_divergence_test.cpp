// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/top_divergence.hpp"

#include <doctest/doctest.h>

#include "support/workbench.hpp"

namespace top_divergence_test {

using namespace temper;

constexpr Divergence kinds[] = {Divergence::forward, Divergence::reverse, Divergence::jsd};

// A student and what is kept of a teacher of another width: 'kept' of 'vocabulary' logits.
template <class Real>
struct TopHead {
  Workbench<Real> bench;
  View<Cpu<Real>, Real, 2> hidden, weight, teacher, teacher_weight, dhidden, dweight, top;
  View<Cpu<Real>, Real, 1> loss, divergence, nll;
  std::vector<std::int32_t> hits;
  std::vector<TokenId> ids, kept_ids;
  std::vector<double> rests;
  double temperature;

  TopHead(Index rows, Index vocabulary, Index kept, double at)
      : bench(1),
        hidden(bench.matrix(rows, 4, 1)),
        weight(bench.matrix(vocabulary, 4, 2)),
        teacher(bench.matrix(rows, 3, 3)),
        teacher_weight(bench.matrix(vocabulary, 3, 4)),
        dhidden(bench.unset(rows, 4)),
        dweight(bench.matrix(vocabulary, 4, 5)),
        top(bench.unset(rows, kept)),
        loss(bench.unset(rows)),
        divergence(bench.unset(rows)),
        nll(bench.unset(rows)),
        hits(static_cast<std::size_t>(rows)),
        kept_ids(static_cast<std::size_t>(rows * kept)),
        rests(static_cast<std::size_t>(rows)),
        temperature(at) {
    std::fill_n(dweight.data, dweight.size(), Real(0));
    for (Index i = 0; i < rows; ++i) ids.push_back(static_cast<TokenId>(i * 7 % vocabulary));
  }
  View<Cpu<Real>, TokenId, 2> tokens() { return {kept_ids.data(), top.shape}; }
  View<Cpu<Real>, double, 1> rest() { return {rests.data(), {top.rows()}}; }
  DistilledRows<Real> rows() { return {loss, divergence, nll, {hits.data(), {loss.size()}}}; }

  void keep() { top_logits<Real>(bench.ctx, top, tokens(), rest(), teacher, teacher_weight, temperature); }
  void train(const Distill& settings) {
    distillation_of_top<Real>(bench.ctx, loss, divergence, nll, rows().correct, into(dhidden), dweight, hidden, weight,
                              top, tokens(), rest(), list_of(ids, Real{}), settings, 1);
  }
  void train_whole(const Distill& settings) {
    distillation<Real>(bench.ctx, loss, divergence, nll, rows().correct, into(dhidden), dweight, hidden, weight,
                       teacher, teacher_weight, list_of(ids, Real{}), settings, 1);
  }
  double evaluate(const Distill& settings) {
    distillation_of_top<Real>(bench.ctx, loss, divergence, nll, rows().correct, {}, {}, hidden, weight, top, tokens(),
                              rest(), list_of(ids, Real{}), settings, 1);
    double sum = 0;
    for (Index i = 0; i < loss.size(); ++i) sum += static_cast<double>(loss(i));
    return sum;
  }
};

std::vector<double> softmax_of(InMatrix<double> hidden, InMatrix<double> weight, Index row, double temperature) {
  std::vector<double> p(static_cast<std::size_t>(weight.rows()));
  double sum = 0;
  for (Index j = 0; j < weight.rows(); ++j) {
    double z = 0;
    for (Index c = 0; c < weight.cols(); ++c) z += hidden(row, c) * weight(j, c);
    sum += p[static_cast<std::size_t>(j)] = std::exp(z / temperature);
  }
  for (double& each : p) each /= sum;
  return p;
}

TEST_CASE("top divergence: it is the divergence of the kept tokens and the rest as one, and below the whole one") {
  TopHead<double> head(5, 23, 4, 1.7);
  head.keep();
  for (const Divergence kind : kinds) {
    head.evaluate({kind, 1.7, 1});
    const std::vector<double> of_top(head.divergence.data, head.divergence.data + 5);
    head.train_whole({kind, 1.7, 1});
    for (Index row = 0; row < 5; ++row) {
      const auto p = softmax_of(head.teacher, head.teacher_weight, row, 1.7),
                 q = softmax_of(head.hidden, head.weight, row, 1.7);
      std::vector<std::size_t> order(p.size());
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] > p[b]; });
      double expected = 0, p_rest = 0, q_rest = 0;
      const auto add = [&](double a, double b) {
        const double m = (a + b) / 2;
        expected += kind == Divergence::forward   ? a * std::log(a / b)
                    : kind == Divergence::reverse ? b * std::log(b / a)
                                                  : (a * std::log(a / m) + b * std::log(b / m)) / 2;
      };
      for (std::size_t k = 0; k < p.size(); ++k)
        if (k < 4)
          add(p[order[k]], q[order[k]]);
        else
          p_rest += p[order[k]], q_rest += q[order[k]];
      add(p_rest, q_rest);
      CHECK(of_top[static_cast<std::size_t>(row)] == doctest::Approx(expected).epsilon(1e-12));
      CHECK(of_top[static_cast<std::size_t>(row)] < head.divergence(row));
    }
  }
}

TEST_CASE("top divergence: gradients match central differences") {
  for (const Divergence kind : kinds)
    for (const Distill& settings : {Distill{kind, 1, 1}, Distill{kind, 2.5, 0.3}}) {
      TopHead<double> head(4, 17, 3, settings.temperature);
      head.keep();
      head.train(settings);
      const auto loss = [&] { return head.evaluate(settings); };
      CHECK(gradient_error(head.hidden, head.dhidden, loss) < 1e-8);
      CHECK(gradient_error(head.weight, head.dweight, loss) < 1e-8);
    }
}

TEST_CASE("top divergence: with the whole vocabulary kept, losses and gradients have the bits of the teacher's own") {
  for (const Divergence kind : kinds) {
    TopHead<float> kept(6, 33, 33, 2), whole(6, 33, 33, 2);
    kept.keep();
    for (const double rest : kept.rests) CHECK(rest == 0);
    kept.train({kind, 2, 0.5});
    whole.train_whole({kind, 2, 0.5});
    const auto same = [](const auto& a, const auto& b) { return std::equal(a.data, a.data + a.size(), b.data); };
    CHECK(same(kept.loss, whole.loss));
    CHECK(same(kept.divergence, whole.divergence));
    CHECK(same(kept.dhidden, whole.dhidden));
    CHECK(same(kept.dweight, whole.dweight));
  }
}

TEST_CASE("top divergence: a student that is its own teacher has none, and far ones stay numbers") {
  for (const Divergence kind : kinds) {
    TopHead<float> own(5, 29, 3, 0.7);
    for (Index i = 0; i < own.hidden.size(); ++i) own.hidden.data[i] *= 60;  // some probabilities vanish
    own.teacher = own.hidden, own.teacher_weight = own.weight;
    own.keep();
    own.train({kind, 0.7, 1});
    for (Index i = 0; i < 5; ++i) CHECK(own.loss(i) == 0);
    for (Index i = 0; i < own.dhidden.size(); ++i) CHECK(own.dhidden.data[i] == 0);

    for (Index i = 0; i < own.hidden.size(); ++i) own.hidden.data[i] *= -1;
    own.train({kind, 0.7, 1});
    for (Index i = 0; i < 5; ++i) CHECK(std::isfinite(own.loss(i)));
    for (Index i = 0; i < own.dhidden.size(); ++i) CHECK(std::isfinite(own.dhidden.data[i]));
  }
}

TEST_CASE("top divergence: equal logits are kept by their lowest tokens, and shapes that do not fit are refused") {
  const std::vector<double> w = {1, 3, 2, 3, 2, 2};
  std::vector<double> logits(3);
  std::vector<TokenId> tokens(3), order;
  const double rest = keep_top(w.data(), 6, 3, 1.0, logits.data(), tokens.data(), order);
  CHECK(tokens == std::vector<TokenId>{1, 2, 3});
  CHECK(logits == std::vector<double>{3, 2, 3});
  CHECK(rest == doctest::Approx(std::exp(-2) + 2 * std::exp(-1)));

  TopHead<float> head(2, 5, 3, 1);
  head.keep();
  head.rests.pop_back();
  const View<Cpu<float>, const double, 1> short_rest{head.rests.data(), {1}};
  CHECK_THROWS_AS(distillation_of_top<float>(head.bench.ctx, head.loss, head.divergence, head.nll, head.rows().correct,
                                             {}, {}, head.hidden, head.weight, head.top, head.tokens(), short_rest,
                                             list_of(head.ids, 0.0f), {}, 1),
                  Error);
  std::swap(head.kept_ids[0], head.kept_ids[1]);
  try {
    head.train({});
    FAIL("tokens out of order were taken");
  } catch (const Error& error) { CHECK(error.code() == "distillation.top"); }
}

}  // namespace top_divergence_test
