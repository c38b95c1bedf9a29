// SPDX-License-Identifier: MIT
#include "temper/objective/kl.hpp"

#include "support/recorded_ppo.hpp"

namespace kl_test {

using namespace temper_test;

TEST_CASE("kl: both estimators of every token are those of torch") {
  const auto logp = recorded_list("drawn"), reference = recorded_list("reference");
  for (const auto& [estimator, key] : {std::pair{KlEstimator::k1, "k1"}, std::pair{KlEstimator::k3, "k3"}}) {
    std::vector<double> values;
    for (std::size_t t = 0; t < logp.size(); ++t) values.push_back(kl_of_token(estimator, logp[t], reference[t]));
    CHECK(apart_from(key, values) < 1e-15);
  }
}

TEST_CASE("kl: the mean of both over what the policy draws is the divergence, and k3 is never below 0") {
  const double p[] = {0.5, 0.3, 0.2}, q[] = {0.2, 0.2, 0.6};
  double exact = 0, k1 = 0, k3 = 0;
  for (int i = 0; i < 3; ++i) {
    exact += p[i] * std::log(p[i] / q[i]);
    k1 += p[i] * kl_of_token(KlEstimator::k1, std::log(p[i]), std::log(q[i]));
    k3 += p[i] * kl_of_token(KlEstimator::k3, std::log(p[i]), std::log(q[i]));
    CHECK(kl_of_token(KlEstimator::k3, std::log(p[i]), std::log(q[i])) >= 0);
  }
  CHECK(k1 == doctest::Approx(exact).epsilon(1e-14));
  CHECK(k3 == doctest::Approx(exact).epsilon(1e-14));
}

TEST_CASE("kl: a policy that is its reference has none, exactly; slopes are central differences") {
  for (const KlEstimator estimator : {KlEstimator::k1, KlEstimator::k3}) {
    CHECK(kl_of_token(estimator, -1.7, -1.7) == 0);
    for (const double logp : {-3.0, -1.0, -0.2}) {
      const double h = 1e-6;
      const double slope = (kl_of_token(estimator, logp + h, -1) - kl_of_token(estimator, logp - h, -1)) / (2 * h);
      CHECK(kl_slope(estimator, logp, -1) == doctest::Approx(slope).epsilon(1e-8));
    }
  }
}

TEST_CASE("kl: the adaptive coefficient goes where Ziegler's controller goes") {
  const AdaptiveKl adaptive;
  double coefficient = 0.2;
  for (const Json& step : recorded_ppo()["adaptive"]) {
    coefficient = adaptive.next(coefficient, step[0].get<double>(), 64);
    CHECK(coefficient == doctest::Approx(step[1].get<double>()).epsilon(1e-14));
  }
  CHECK(adaptive.next(0.1, 6, 64) == 0.1);
  CHECK(AdaptiveKl{.target = 1, .horizon = 2}.next(1, 0, 1000) == 0.8);  // never through 0
  CHECK_THROWS_AS((void)(AdaptiveKl{.target = 0}.next(0.1, 1, 64)), Error);
}

}  // namespace kl_test
