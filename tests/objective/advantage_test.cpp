// SPDX-License-Identifier: MIT
#include "temper/objective/advantage.hpp"

#include "support/recorded_ppo.hpp"

namespace advantage_test {

using namespace temper_test;

using Numbers = std::vector<double>;

TEST_CASE("advantage: gae and returns of answers of several lengths are those of torch, number by number") {
  const Numbers rewards = recorded_list("rewards"), values = recorded_list("old_values");
  const auto starts = recorded_starts();
  Numbers advantages(rewards.size()), returns(rewards.size());
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    const auto begin = static_cast<std::size_t>(starts[i]), count = static_cast<std::size_t>(starts[i + 1]) - begin;
    gae(std::span(advantages).subspan(begin, count), std::span(returns).subspan(begin, count),
        std::span(rewards).subspan(begin, count), std::span(values).subspan(begin, count), recorded_setting("gamma"),
        recorded_setting("lambda"));
  }
  CHECK(apart_from("advantages", advantages) < 1e-14);
  CHECK(apart_from("returns", returns) < 1e-14);
  whiten(advantages);
  CHECK(apart_from("whitened", advantages) < 1e-14);
}

TEST_CASE("advantage: with lambda 1 returns are the discounted rewards to come, with lambda 0 one step and the value") {
  const Numbers rewards = {1, 2, 3}, values = {0.5, -1, 4};
  Numbers advantages(3), returns(3);
  gae(advantages, returns, rewards, values, 0.5, 1);
  CHECK(returns == Numbers{1 + 0.5 * 2 + 0.25 * 3, 2 + 0.5 * 3, 3});
  gae(advantages, returns, rewards, values, 0.5, 0);
  CHECK(returns == Numbers{1 + 0.5 * -1, 2 + 0.5 * 4, 3});
}

TEST_CASE("advantage: whitening leaves mean 0 and variance 1; numbers that are all equal become 0") {
  Numbers values = {1, 5, -2, 7};
  whiten(values);
  CHECK(moments_of(values).mean == doctest::Approx(0));
  CHECK(moments_of(values).variance == doctest::Approx(1).epsilon(1e-8));
  Numbers equal = {2, 2, 2}, one = {3}, none;
  whiten(equal), whiten(one), whiten(none);
  CHECK(equal == Numbers{0, 0, 0});
  CHECK(one == Numbers{0});
}

TEST_CASE("advantage: of groups and leave-one-out as TRL computes them") {
  const Numbers scores = recorded_list("scores"), k1 = recorded_list("k1");
  const auto starts = recorded_starts();
  Numbers rewards = scores, group(scores.size()), others(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i)
    for (auto t = static_cast<std::size_t>(starts[i]); t < static_cast<std::size_t>(starts[i + 1]); ++t)
      rewards[i] -= recorded_setting("kl") * k1[t];
  const Index size = recorded_ppo()["group"].get<Index>();
  group_advantages(group, rewards, size);
  leave_one_out_advantages(others, rewards, size);
  CHECK(apart_from("group_advantages", group) < 1e-13);
  CHECK(apart_from("leave_one_out", others) < 1e-14);
}

TEST_CASE("advantage: answers that all earned the same have none") {
  const Numbers rewards(8, 1.5);
  Numbers advantages(8, 7);
  group_advantages(advantages, rewards, 4);
  CHECK(advantages == Numbers(8, 0));
  leave_one_out_advantages(advantages, rewards, 4);
  CHECK(advantages == Numbers(8, 0));
}

TEST_CASE("advantage: groups that are not whole, and lists that are not equal, are refused") {
  const Numbers rewards(6);
  Numbers advantages(6), fewer(5);
  CHECK_THROWS_AS(group_advantages(advantages, rewards, 4), Error);
  CHECK_THROWS_AS(leave_one_out_advantages(advantages, rewards, 1), Error);
  CHECK_THROWS_AS(gae(advantages, fewer, rewards, rewards, 1, 1), Error);
}

}  // namespace advantage_test
