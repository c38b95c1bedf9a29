// SPDX-License-Identifier: MIT
#include "temper/optimizer/adamw_8bit.hpp"

#include "support/recorded_steps.hpp"

namespace adamw_8bit_test {

using namespace temper_test;

static_assert(Optimizer<AdamW8bit, Cpu<float>> && check_optimizer<AdamW8bit, Cpu<double>>());

// 17.5 blocks, a tensor one element short of 4,096, and a vector of 16 blocks and four elements.
const std::vector<std::pair<std::string, std::vector<Index>>> shapes = {
    {"coded", {64, 70}}, {"plain", {63, 65}}, {"vector", {4100}}};

TEST_CASE("adamw_8bit: codes and scales of twenty steps are those of bitsandbytes, bit for bit") {
  RecordedSteps<float, AdamW8bit> steps(AdamW8bit{.weight_decay = 0.1}, shapes);
  steps.steps(0, 1);
  CHECK(steps.difference("adamw_8bit", 1, 5) < 1e-7);
  steps.steps(1, 20);
  CHECK(steps.difference("adamw_8bit", 20, 13) < 1e-6);
  for (const auto& [name, state] : {std::pair("coded", &steps.states()[0]), std::pair("vector", &steps.states()[2])})
    for (const auto& [part, scales] :
         {std::pair("first_scales", state->first_scales), std::pair("second_scales", state->second_scales)}) {
      const TensorInfo* const expected = recorded_steps().find(std::string("adamw_8bit.20.") + name + "." + part);
      REQUIRE(expected);
      CHECK(std::memcmp(expected->bytes.data(), scales.data, scales.bytes()) == 0);
    }
}

TEST_CASE("adamw_8bit: threads do not change bits") { check_threads(AdamW8bit{}); }

TEST_CASE("adamw_8bit: two bytes and two scales a block; a small tensor keeps whole numbers") {
  RecordedSteps<float, AdamW8bit> coded({}, {{"p", {64, 70}}}), plain({}, {{"p", {63, 65}}});
  CHECK(coded.state_bytes() == 2 * Arena::rounded(4480) + 2 * Arena::rounded(18 * sizeof(float)));
  CHECK(plain.state_bytes() == 2 * Arena::rounded(4095 * sizeof(float)));
  std::vector<std::string> names;
  const auto note = [&](std::string_view name, auto) { names.emplace_back(name); };
  coded.states()[0].visit(note), plain.states()[0].visit(note);
  CHECK(names ==
        std::vector<std::string>{"first_codes", "first_scales", "second_codes", "second_scales", "first", "second"});
}

}  // namespace adamw_8bit_test
