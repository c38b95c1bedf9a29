// SPDX-License-Identifier: MIT
#include "temper/objective/ppo.hpp"

#include "support/recorded_ppo.hpp"

namespace ppo_test {

using namespace temper_test;

using Numbers = std::vector<double>;

Ppo recorded_settings() {
  return {.kl = recorded_setting("kl"),
          .clip = recorded_setting("clip"),
          .value_clip = recorded_setting("value_clip"),
          .value_coefficient = recorded_setting("value_coefficient"),
          .gamma = recorded_setting("gamma"),
          .lambda = recorded_setting("lambda")};
}

Experience recorded_experience() {
  return {.starts = recorded_starts(),
          .logp = recorded_list("drawn"),
          .reference = recorded_list("reference"),
          .values = recorded_list("old_values"),
          .scores = recorded_list("scores")};
}

TEST_CASE("ppo: rewards, advantages and returns of a step are those of torch, number by number") {
  const Ppo ppo = recorded_settings();
  Experience experience = recorded_experience();
  Numbers rewards(experience.logp.size());
  for (Index i = 0; i < experience.responses(); ++i)
    shape_rewards(experience.of_response(rewards, i), experience.of_response(experience.logp, i),
                  experience.of_response(experience.reference, i), experience.scores[static_cast<std::size_t>(i)],
                  ppo.kl, ppo.kl_estimator);
  CHECK(apart_from("rewards", rewards) < 1e-15);
  judge(ppo, ppo.kl, experience);
  CHECK(apart_from("whitened", experience.advantages) < 1e-14);
  CHECK(apart_from("returns", experience.returns) < 1e-14);
  CHECK(experience.divergence(KlEstimator::k1) ==
        doctest::Approx(recorded_ppo()["divergence"].get<double>()).epsilon(1e-14));
}

TEST_CASE("ppo: losses, slopes and statistics of an update are those of torch, whole and cut into micro-batches") {
  const Ppo ppo = recorded_settings();
  Experience experience = recorded_experience();
  judge(ppo, ppo.kl, experience);
  const Numbers logp = recorded_list("logp"), values = recorded_list("values");
  const auto count = static_cast<double>(logp.size());
  for (const std::size_t cut : {std::size_t{0}, std::size_t{4}, logp.size()}) {
    Numbers dlogp(logp.size()), dvalues(logp.size());
    PpoSums sums;
    for (const auto& [begin, end] : {std::pair{std::size_t{0}, cut}, std::pair{cut, logp.size()}}) {
      const auto part = [&, from = begin, many = end - begin](auto& all) { return std::span(all).subspan(from, many); };
      sums += ppo_loss(ppo, experience, static_cast<Index>(begin), part(logp), part(values), part(dlogp), part(dvalues),
                       count);
    }
    const auto recorded = [](const char* key) {
      return doctest::Approx(recorded_ppo()[key].get<double>()).epsilon(1e-13);
    };
    CHECK(sums.loss(ppo) == recorded("loss"));
    CHECK(sums.policy / sums.tokens == recorded("policy_loss"));
    CHECK(sums.value_loss() == recorded("value_loss"));
    CHECK(sums.mean_ratio() == recorded("ratio"));
    CHECK(sums.clip_fraction() == recorded("clip_fraction"));
    CHECK(sums.approximate_kl() == recorded("approximate_kl"));
    CHECK(apart_from("dlogp", dlogp) < 1e-15);
    CHECK(apart_from("dvalues", dvalues) < 1e-15);
  }
}

TEST_CASE("ppo: the recorded update clips some tokens and leaves others, in both losses") {
  CHECK(recorded_ppo()["clip_fraction"].get<double>() > 0.1);
  CHECK(recorded_ppo()["clip_fraction"].get<double>() < 0.9);
  const auto slopes = recorded_list("dvalues");
  const auto cut = std::count(slopes.begin(), slopes.end(), 0.0);
  CHECK(cut > 0);
  CHECK(cut < std::ssize(slopes));
}

TEST_CASE("ppo: slopes of both terms are central differences on either side of the clip") {
  constexpr double h = 1e-6;
  for (const double advantage : {-1.5, 0.7})
    for (const double apart : {-0.5, -0.1, 0.0, 0.1, 0.5}) {
      const auto loss = [&](double logp) { return policy_term(logp, -1, advantage, 0.2).loss; };
      const double slope = (loss(-1 + apart + h) - loss(-1 + apart - h)) / (2 * h);
      CHECK(policy_term(-1 + apart, -1, advantage, 0.2).slope == doctest::Approx(slope).epsilon(1e-8));
    }
  for (const double old : {-0.4, 0.3})
    for (const double value : {-1.0, -0.35, 0.2, 0.9}) {
      const auto loss = [&](double v) { return value_term(v, old, 0.1, 0.25).loss; };
      const double slope = (loss(value + h) - loss(value - h)) / (2 * h);
      CHECK(value_term(value, old, 0.1, 0.25).slope == doctest::Approx(slope).epsilon(1e-8));
    }
}

TEST_CASE("ppo: a policy that has not moved has ratio 1, clips nothing, and its loss is minus the advantage") {
  const PolicyTerm term = policy_term(-2.3, -2.3, 0.8, 0);
  CHECK(term.ratio == 1);
  CHECK(term.loss == -0.8);
  CHECK(term.slope == -0.8);
  CHECK_FALSE(term.clipped);
}

TEST_CASE("ppo: one advantage for all tokens of an answer, of score and divergence, where answers are compared") {
  Ppo ppo = recorded_settings();
  ppo.group_size = recorded_ppo()["group"].get<Index>();
  for (const auto& [advantage, key] :
       {std::pair{Advantage::group, "group_advantages"}, std::pair{Advantage::leave_one_out, "leave_one_out"}}) {
    ppo.advantage = advantage;
    Experience experience = recorded_experience();
    experience.values.clear();
    judge(ppo, ppo.kl, experience);
    const Numbers expected = recorded_list(key);
    for (Index i = 0; i < experience.responses(); ++i)
      for (const double own : experience.of_response(experience.advantages, i))
        CHECK(own == doctest::Approx(expected[static_cast<std::size_t>(i)]).epsilon(1e-12));
    Numbers dlogp(experience.logp.size());
    const PpoSums sums = ppo_loss(ppo, experience, 0, experience.logp, {}, dlogp, {}, 21);
    CHECK(sums.value == 0);
    CHECK(sums.mean_ratio() == 1);
  }
}

TEST_CASE("ppo: an answer without an end pays the penalty, if there is one") {
  CHECK(score_with_penalty({.missing_eos_penalty = 1.5}, 2, false) == 0.5);
  CHECK(score_with_penalty({.missing_eos_penalty = 1.5}, 2, true) == 2);
  CHECK(score_with_penalty({}, 2, false) == 2);
}

TEST_CASE("ppo: a larger divergence costs more, whatever it is estimated by") {
  const Numbers logp = {-1, -1}, near = {-1.1, -1}, far = {-3, -1};
  for (const KlEstimator estimator : {KlEstimator::k1, KlEstimator::k3}) {
    Numbers a(2), b(2);
    shape_rewards(a, logp, near, 1, 0.1, estimator);
    shape_rewards(b, logp, far, 1, 0.1, estimator);
    CHECK(a[0] > b[0]);
    CHECK(a[1] == 1);
  }
}

TEST_CASE("ppo: lists that do not belong together are refused") {
  const Ppo ppo = recorded_settings();
  Experience experience = recorded_experience();
  experience.values.pop_back();
  CHECK_THROWS_AS(judge(ppo, ppo.kl, experience), Error);
  experience = recorded_experience();
  experience.scores.clear();
  CHECK_THROWS_AS(judge(ppo, ppo.kl, experience), Error);
  experience = recorded_experience();
  Numbers dlogp(2), dvalues(2);
  const Numbers two(2);
  CHECK_THROWS_AS(ppo_loss(ppo, experience, 0, two, two, dlogp, dvalues, 2), Error);  // not judged
  judge(ppo, ppo.kl, experience);
  CHECK_THROWS_AS(ppo_loss(ppo, experience, 20, two, two, dlogp, dvalues, 2), Error);
  CHECK_THROWS_AS(ppo_loss(ppo, experience, 0, two, {}, dlogp, {}, 2), Error);
  CHECK_THROWS_AS(shape_rewards({}, {}, {}, 1, 0.1, KlEstimator::k1), Error);
}

}  // namespace ppo_test
