// SPDX-License-Identifier: MIT
// Distillation from what was kept of a teacher: of each row the K largest logits w with their tokens, and r, the sum of
// exp((w - maximum) / T) over all others. The K tokens and "any other" are K + 1 outcomes,
//   p_k = exp((w_k - max w) / T) / P,   p_rest = r / P,   P = sum_k exp((w_k - max w) / T) + r,
// q_k and q_rest those of the student's softmax(z / T), and D their divergence in the form that is asked for. That is
// at most the divergence over all tokens, and equal to it where K is the vocabulary (then bit for bit), or where
// teacher and student share the rest among its tokens in the same way: the teacher says nothing about those.
//   dD/dz_j = q_j c / T, with c of the outcome that j belongs to:
//     forward 1 - p / q      reverse log(q / p) - D      jsd (log(q / m) - sum q log(q / m)) / 2
#pragma once
#include <algorithm>
#include <numeric>

#include "temper/backend/cpu/divergence.hpp"

namespace temper {

// Of one row: tokens ascending.
template <class Real>
struct TopRow {
  const Real* logits;
  const TokenId* tokens;
  Index count;
  double rest;
};

// Sums of exp((z - maximum) / T) over the tokens of a row's top, and over all others, in one order for teacher and
// student: where they are equal, so are the sums.
template <class Real>
struct TopSums {
  double top = 0, rest = 0;
  TopSums(const Real* z, Index n, const TokenId* tokens, Index count, Real maximum, Real cold) {
    const auto exponent = [=](Index j) { return exponential((z[j] - maximum) * cold); };
    Index next = 0;
    for (Index k = 0; k <= count; ++k) {
      const Index at = k < count ? tokens[k] : n;
      if (at > next) rest += sum_of_row<Real>(at - next, [=](Index j) { return exponent(next + j); });
      if (k < count) top += static_cast<double>(exponent(at));
      next = at + 1;
    }
  }
};

// What is kept of one row of a teacher's logits: the 'count' largest, the lowest token among equals. Returns the rest.
template <class Real>
double keep_top(const Real* w, Index n, Index count, double temperature, Real* logits, TokenId* tokens,
                std::vector<TokenId>& order) {
  order.resize(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), TokenId{0});
  const auto larger = [w](TokenId a, TokenId b) { return w[a] > w[b] || (w[a] == w[b] && a < b); };
  if (count < n) std::nth_element(order.begin(), order.begin() + count, order.end(), larger);
  std::sort(order.begin(), order.begin() + count);
  for (Index k = 0; k < count; ++k) {
    tokens[k] = order[static_cast<std::size_t>(k)];
    logits[k] = w[tokens[k]];
  }
  return TopSums<Real>(w, n, tokens, count, maximum_of(w, n), static_cast<Real>(1 / temperature)).rest;
}

// As distill_row, held to the top of a row alone.
template <class Real>
double distill_row_of_top(Real* z, Index n, TopRow<Real> taught, const Distill& settings, const RowGradient* gradient) {
  if (taught.count == n) return distill_row(z, taught.logits, n, settings, gradient);
  constexpr double least = 1e-30;  // of a probability, so that every logarithm is a number
  const Real highest = maximum_of(taught.logits, taught.count), own = maximum_of(z, n);
  const Real cold = static_cast<Real>(1 / settings.temperature);
  const TopSums<Real> sums(z, n, taught.tokens, taught.count, own, cold);
  double taught_sum = 0;
  for (Index k = 0; k < taught.count; ++k)
    taught_sum += static_cast<double>(exponential((taught.logits[k] - highest) * cold));
  taught_sum += taught.rest;
  const double own_sum = sums.top + sums.rest, shift = std::log(own_sum) - std::log(taught_sum);

  struct Outcome {
    double p, q, apart;  // apart: log(p / q)
  };
  const auto of_token = [&](Index k) {
    const Real w = taught.logits[k] - highest, own_logit = z[taught.tokens[k]] - own;
    return Outcome{static_cast<double>(exponential(w * cold)) / taught_sum,
                   static_cast<double>(exponential(own_logit * cold)) / own_sum,
                   static_cast<double>(w - own_logit) * static_cast<double>(cold) + shift};
  };
  const double p_rest = std::max(taught.rest / taught_sum, least), q_rest = std::max(sums.rest / own_sum, least);
  const Outcome rest{p_rest, q_rest, std::log(p_rest) - std::log(q_rest)};
  const auto over_outcomes = [&](auto term) {
    double sum = term(rest);
    for (Index k = 0; k < taught.count; ++k) sum += term(of_token(k));
    return sum;
  };
  double sum = 0, mean = 0;
  const auto over_mean = [](double d) { return log_over_mean(d); };
  switch (settings.divergence) {
    case Divergence::forward:
      sum = over_outcomes([](const Outcome& o) { return rounded_product(o.p * o.apart); });
      break;
    case Divergence::reverse:
      sum = over_outcomes([](const Outcome& o) { return rounded_product(-o.q * o.apart); });
      break;
    case Divergence::jsd:
      mean = over_outcomes([&](const Outcome& o) { return rounded_product(o.q * over_mean(-o.apart)); });
      sum = (mean + over_outcomes([&](const Outcome& o) { return rounded_product(o.p * over_mean(o.apart)); })) / 2;
      break;
  }
  if (!gradient) return sum;
  // q times this is the slope by a logit of the outcome, times T.
  const auto slope = [&](const Outcome& o) {
    switch (settings.divergence) {
      case Divergence::forward:
        return 1 - std::exp(o.apart);
      case Divergence::reverse:
        return -o.apart - sum;
      case Divergence::jsd:
        break;
    }
    return (over_mean(-o.apart) - mean) / 2;
  };
  const Real hard = static_cast<Real>(gradient->hard), plain = static_cast<Real>(gradient->highest);
  const Real others = static_cast<Real>(gradient->soft * slope(rest) / own_sum);
  Index next = 0;
  for (Index k = 0; k <= taught.count; ++k) {
    const Index at = k < taught.count ? taught.tokens[k] : n;
    for (Index j = next; j < at; ++j)
      z[j] = multiply_add(hard, exponential(z[j] - plain), others * exponential((z[j] - own) * cold));
    next = at + 1;
    if (k == taught.count) break;
    const Outcome o = of_token(k);
    // p - q where that is known without dividing by q.
    const double soft = settings.divergence == Divergence::forward ? o.q - o.p : o.q * slope(o);
    z[at] = multiply_add(hard, exponential(z[at] - plain), static_cast<Real>(gradient->soft * soft));
  }
  return sum;
}

// What is kept of a teacher: logits and tokens [S, K], rest [S].
template <class Real>
void top_logits(Context<Cpu<Real>>& ctx, OutMatrix<Real> top, View<Cpu<Real>, TokenId, 2> tokens,
                View<Cpu<Real>, double, 1> rest, InMatrix<Real> hidden, InTable<Real> weight, double temperature) {
  const Index count = hidden.rows(), kept = top.cols(), vocabulary = weight.rows;
  require(top.rows() == count && tokens.shape == top.shape && rest.size() == count && kept > 0 && kept <= vocabulary,
          Fault::usage, "head.shape",
          "top_logits: [{}, {}] of {} rows of {} logits; expected a row for each, and 1 to {} of them", top.rows(),
          kept, count, vocabulary, vocabulary);
  over_logits(ctx, {}, {}, hidden, weight, [&](OutMatrix<Real> logits, Index begin, Index end) {
    ctx.run("top_logits", {40 * static_cast<double>(logits.size()), bytes_of_all(logits)}, [&] {
      over_rows(ctx, end - begin, vocabulary, [&](Index row) {
        std::vector<TokenId> order;
        const Index i = begin + row;
        rest(i) = keep_top(&logits(row, 0), vocabulary, kept, temperature, &top(i, 0), &tokens(i, 0), order);
      });
    });
  });
}

// As distillation, from what was kept.
template <class Real>
void distillation_of_top(Context<Cpu<Real>>& ctx, OutVector<Real> loss, OutVector<Real> divergence, OutVector<Real> nll,
                         OutList<Real, std::int32_t> correct, TargetMatrix<Real> dhidden, OntoGradient<Real> dweight,
                         InMatrix<Real> hidden, InTable<Real> weight, InMatrix<Real> top,
                         View<Cpu<Real>, const TokenId, 2> tokens, View<Cpu<Real>, const double, 1> rest,
                         InList<Real, TokenId> targets, Distill settings, std::type_identity_t<Real> gradient_scale) {
  const Index vocabulary = weight.rows;
  require(top.rows() == hidden.rows() && tokens.shape == top.shape && rest.size() == top.rows() && top.cols() > 0 &&
              top.cols() <= vocabulary,
          Fault::usage, "head.shape",
          "distillation: {} rows of {} tokens but [{}, {}] logits of a teacher; expected a row for each, and no more "
          "logits than tokens",
          hidden.rows(), vocabulary, top.rows(), top.cols());
  const auto judge_of = [&](Index begin, Index end) {
    ctx.run("check_top", {.bytes = static_cast<double>((end - begin) * top.cols()) * sizeof(TokenId)}, [&] {
      for (Index i = begin; i < end; ++i)
        for (Index k = 0; k < top.cols(); ++k)
          require(tokens(i, k) > (k == 0 ? TokenId{-1} : tokens(i, k - 1)) && tokens(i, k) < vocabulary, Fault::data,
                  "distillation.top",
                  "row {} keeps the logit of token {} as number {}; expected ascending tokens below {}", i,
                  tokens(i, k), k, vocabulary);
    });
    return [=, &settings](Real* z, Index row, const RowGradient* gradient) {
      const Index i = begin + row;
      const TopRow<Real> taught{&top(i, 0), &tokens(i, 0), top.cols(), rest(i)};
      return distill_row_of_top(z, vocabulary, taught, settings, gradient);
    };
  };
  distill_rows(ctx, DistilledRows<Real>{loss, divergence, nll, correct}, dhidden, dweight, hidden, weight, targets,
               settings, gradient_scale, logits_rows(vocabulary), judge_of);
}

}  // namespace temper
