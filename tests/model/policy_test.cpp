// SPDX-License-Identifier: MIT
#include "temper/model/policy.hpp"

#include <doctest/doctest.h>

#include "support/small_config.hpp"
#include "temper/adapter/lora.hpp"
#include "temper/data/micro_batch.hpp"
#include "temper/testing/gradient_check.hpp"

namespace policy_test {

using namespace temper;
using temper_test::small_config;

using B = Cpu<double>;

MicroBatch two_answers() {
  MicroBatch batch;
  batch.add(std::vector<TokenId>{1, 5, 7, 3}, std::vector<std::uint8_t>{0, 0, 1, 1});
  batch.add(std::vector<TokenId>{2, 4, 4, 9, 0}, std::vector<std::uint8_t>{0, 1, 1, 1, 1});
  return batch;
}

// A context with memory of its own.
struct Room {
  std::vector<std::byte> memory = std::vector<std::byte>(std::size_t{1} << 22);
  Arena arena{memory.data(), memory.size()};
  Threads stream{1};
  Context<B> ctx{stream, arena, 1, Execution::running};
  BatchStaging<B> staging;
};

template <class M>
void give_values(M& policy) {
  std::uint64_t element = 0;
  const Random random{5, random_site("policy_test"), 0};
  policy.visit([&](Parameter<B>& p) {
    for (Index i = 0; i < p.size(); ++i) p.value.data[i] += 0.3 * random.normal(element++);
  });
}

TEST_CASE("policy: gradients of a loss of log-probabilities at a temperature, and of values, through the whole model") {
  Decoder<B, Lora<>> model(small_config(), Lora<>{.rank = 2, .alpha = 4});
  Policy policy(model, ValueHead::one);
  CHECK(*std::max_element(policy.value().value.data, policy.value().value.data + 8) == 0);
  give_values(policy);
  Room room;
  const MicroBatch batch = two_answers();
  const double temperature = 0.7;
  // sum of (logp^2 / 2) a + (v - 1)^2 / 2, with a weight by token
  const auto weight = [](std::size_t t) { return 1 + 0.5 * static_cast<double>(t); };
  TokenSlopes slopes;
  room.ctx.set_mode(Mode::training);
  policy.visit([&](Parameter<B>& p) { std::fill_n(p.gradient.data, p.size(), 0.0); });
  run_policy_gradient(room.ctx, room.staging, policy, batch.host(), temperature, slopes, [&](TokenSlopes& t) {
    REQUIRE(t.logp.size() == 6);
    REQUIRE(t.values.size() == 6);
    for (std::size_t i = 0; i < 6; ++i) t.dlogp[i] = weight(i) * t.logp[i], t.dvalues[i] = t.values[i] - 1;
  });
  const std::function<double()> loss = [&] {
    PolicyReading reading;
    room.ctx.set_position({});
    read_policy(room.ctx, room.staging, policy, batch.host(), temperature, Adapters::on, reading);
    double sum = 0;
    for (std::size_t i = 0; i < 6; ++i)
      sum += weight(i) * reading.logp[i] * reading.logp[i] / 2 + (reading.values[i] - 1) * (reading.values[i] - 1) / 2;
    return sum;
  };
  GradientCheck check;
  policy.visit([&](Parameter<B>& p) {
    const auto size = static_cast<std::size_t>(p.size());
    compare_gradient(check, p.name, {p.value.data, size}, {p.gradient.data, size}, loss);
  });
  INFO(check.where);
  CHECK(check.largest_error < 1e-6);
}

TEST_CASE("policy: it reads the same numbers as it trains on; the reference has neither adapter nor values") {
  Decoder<B, Lora<>> model(small_config(), Lora<>{.rank = 2, .alpha = 4});
  Policy policy(model, ValueHead::one);
  Room room;
  const MicroBatch batch = two_answers();
  PolicyReading before, now, reference;
  const auto read = [&](Adapters adapters, PolicyReading& to) {
    read_policy(room.ctx, room.staging, policy, batch.host(), 0.7, adapters, to);
  };
  read(Adapters::on, before);
  give_values(policy);
  room.ctx.set_position({.step = 1});
  read(Adapters::on, now);
  read(Adapters::off, reference);
  CHECK(reference.logp == before.logp);
  CHECK(reference.logp != now.logp);
  CHECK(reference.values.empty());
  CHECK(before.values == std::vector<double>(6, 0.0));
  CHECK(now.values != before.values);
  for (const double entropy : now.entropy) CHECK((entropy > 0 && entropy < std::log(11)));

  TokenSlopes slopes;
  room.ctx.set_mode(Mode::training);
  run_policy_gradient(room.ctx, room.staging, policy, batch.host(), 0.7, slopes, [](TokenSlopes&) {});
  CHECK(slopes.logp == now.logp);
  CHECK(slopes.values == now.values);
}

TEST_CASE("policy: the value head is visited last and counted; without it nothing is added") {
  Decoder<B, Lora<>> model(small_config(), Lora<>{.rank = 2, .alpha = 4});
  Policy with(model, ValueHead::one);
  Policy without(model, ValueHead::none);
  CHECK(trained_elements(with) == trained_elements(model) + 8);
  CHECK(trained_elements(without) == trained_elements(model));
  CHECK(without.bytes() == model.bytes());
  std::string last;
  with.visit([&](Parameter<B>& p) { last = p.name; });
  CHECK(last == "value.weight");
  Policy planned(model, ValueHead::one, Execution::planning);
  CHECK(planned.bytes() == with.bytes());
}

}  // namespace policy_test
