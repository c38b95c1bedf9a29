// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/sample.hpp"

#include <doctest/doctest.h>

#include "support/workbench.hpp"

namespace sample_test {

using namespace temper;

template <class Real>
struct Draws {
  Workbench<Real> bench;
  View<Cpu<Real>, Real, 2> hidden, weight;
  View<Cpu<Real>, Real, 1> logp, entropy;
  std::vector<TokenId> ids;
  std::vector<double> uniforms;

  Draws(Index rows, Index width, Index vocabulary, int threads = 1)
      : bench(threads),
        hidden(bench.matrix(rows, width, 1)),
        weight(bench.matrix(vocabulary, width, 2)),
        logp(bench.unset(rows)),
        entropy(bench.unset(rows)),
        ids(static_cast<std::size_t>(rows), -1) {
    for (Index i = 0; i < rows; ++i) uniforms.push_back(Random{7}.uniform(static_cast<std::uint64_t>(i)));
  }
  View<Cpu<Real>, TokenId, 1> tokens() { return {ids.data(), {std::ssize(ids)}}; }
  void run(Real scale) { sample(bench.ctx, tokens(), logp, entropy, hidden, weight, list_of(uniforms, Real{}), scale); }
};

TEST_CASE("sample: log p has the bits of log_probs for the token that was drawn, at any temperature and vocabulary") {
  for (const Index vocabulary : {2, 33, 2500})
    for (const float scale : {1.0f, static_cast<float>(1 / 0.7)}) {
      Draws<float> draws(40, 5, vocabulary, 2);
      draws.run(scale);
      const auto logp = draws.bench.unset(40), lse = draws.bench.unset(40), entropy = draws.bench.unset(40);
      log_probs(draws.bench.ctx, logp, lse, draws.hidden, draws.weight, list_of(draws.ids, 0.0f), scale, entropy);
      CHECK(same_bits(logp, draws.logp));
      CHECK(same_bits(entropy, draws.entropy));
    }
}

TEST_CASE("sample: the token is the one at which the sum of probabilities passes the number, and entropy is exact") {
  Draws<double> draws(50, 4, 2500);
  draws.run(1.5);
  for (Index i = 0; i < 50; ++i) {
    std::vector<double> p;
    double sum = 0, entropy = 0;
    for (Index v = 0; v < 2500; ++v) {
      double z = 0;
      for (Index j = 0; j < 4; ++j) z += 1.5 * draws.hidden(i, j) * draws.weight(v, j);
      p.push_back(std::exp(z));
      sum += p.back();
    }
    for (const double each : p) entropy -= each / sum * std::log(each / sum);
    const auto at = static_cast<std::size_t>(i);
    const auto token = static_cast<std::size_t>(draws.ids[at]);
    double before = 0;
    for (std::size_t v = 0; v < token; ++v) before += p[v] / sum;
    CHECK(before <= draws.uniforms[at] + 1e-12);
    CHECK(before + p[token] / sum >= draws.uniforms[at] - 1e-12);
    CHECK(draws.logp(i) == doctest::Approx(std::log(p[token] / sum)).epsilon(1e-12));
    CHECK(draws.entropy(i) == doctest::Approx(entropy).epsilon(1e-12));
  }
}

TEST_CASE("sample: tokens are drawn as often as their probabilities say") {
  constexpr Index rows = 20000;
  Draws<float> draws(rows, 1, 3);
  std::fill_n(draws.hidden.data, rows, 1.0f);
  const double p[] = {0.5, 0.2, 0.3};
  for (Index v = 0; v < 3; ++v) draws.weight(v, 0) = static_cast<float>(std::log(p[v]));
  draws.run(1);
  for (Index v = 0; v < 3; ++v)
    CHECK(static_cast<double>(std::count(draws.ids.begin(), draws.ids.end(), v)) / rows ==
          doctest::Approx(p[v]).epsilon(0.04));
}

TEST_CASE("sample: the ends of the interval are tokens too, and one without probability is never drawn") {
  Draws<float> draws(3, 1, 4);
  const float z[] = {-200, 0, 0, -200};  // the outer two have none
  for (Index v = 0; v < 4; ++v) draws.weight(v, 0) = z[v];
  std::fill_n(draws.hidden.data, 3, 1.0f);
  draws.uniforms = {0, 0.5, 1 - 0x1p-53};
  draws.run(1);
  CHECK(draws.ids == std::vector<TokenId>{1, 2, 2});
  draws.uniforms = {1, 1, 1};  // what rounding could leave over goes to the likeliest
  draws.run(1);
  CHECK(draws.ids == std::vector<TokenId>{1, 1, 1});
}

TEST_CASE("sample: a row depends neither on the rows beside it nor on threads") {
  Draws<float> all(300, 6, 1500), threaded(300, 6, 1500, 3);
  all.run(2);
  threaded.run(2);
  CHECK(all.ids == threaded.ids);
  CHECK(same_bits(all.logp, threaded.logp));
  for (const Index i : {Index{0}, Index{137}, Index{299}}) {
    Draws<float> one(1, 6, 1500);
    std::copy_n(&all.hidden(i, 0), 6, one.hidden.data);
    one.uniforms = {all.uniforms[static_cast<std::size_t>(i)]};
    one.run(2);
    CHECK(one.ids[0] == all.ids[static_cast<std::size_t>(i)]);
    CHECK(one.logp(0) == all.logp(i));
    CHECK(one.entropy(0) == all.entropy(i));
  }
}

TEST_CASE("sample: logits that are no numbers give a log p that is none, and a token of the vocabulary") {
  Draws<float> draws(1, 2, 40);
  draws.hidden(0, 0) = std::numeric_limits<float>::quiet_NaN();
  draws.run(1);
  CHECK(draws.ids[0] >= 0);
  CHECK(draws.ids[0] < 40);
  CHECK(std::isnan(draws.logp(0)));
}

TEST_CASE("sample: shapes that do not fit are refused") {
  Draws<float> draws(3, 2, 4);
  draws.uniforms.pop_back();
  CHECK_THROWS_AS(draws.run(1), Error);
}

}  // namespace sample_test
