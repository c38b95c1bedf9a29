// SPDX-License-Identifier: MIT
// The rule is compared with bitsandbytes in tests/optimizer/adamw_8bit_test.cpp.
#include "temper/backend/cpu/adamw_8bit.hpp"

#include <doctest/doctest.h>

#include "support/workbench.hpp"

namespace adamw_8bit_test {

using namespace temper;

template <Signs S>
std::vector<std::uint8_t> encoded(const std::vector<float>& x, float scale) {
  std::vector<std::uint8_t> codes(x.size());
  CHECK(encode_block<S>(x.data(), std::ssize(x), codes.data()) == scale);
  return codes;
}

TEST_CASE("adamw_8bit: a code is that of the nearest number, by a search through all") {
  Workbench<float> bench;
  for (const Index count : {256, 100, 1}) {
    const auto x = bench.vector(count, 3);
    for (Index i = 0; i < count; ++i) x(i) = x(i) * x(i) * x(i) * std::ldexp(1.0f, static_cast<int>(i % 11) - 13);
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(count));
    const float scale = encode_block<Signs::both>(x.data, count, codes.data());
    for (Index i = 0; i < count; ++i) {
      float best = 3;
      for (const float value : dynamic_map<Signs::both>.value) best = std::min(best, std::abs(value - x(i) / scale));
      const float found = dynamic_map<Signs::both>.value[codes[static_cast<std::size_t>(i)]];
      CHECK(std::abs(found - x(i) / scale) <= best + 1e-7f);
    }
  }
}

TEST_CASE("adamw_8bit: zero, the largest, and decoded numbers keep their codes") {
  CHECK(encoded<Signs::both>({0, -2, 2}, 2) == std::vector<std::uint8_t>{127, 0, 255});
  CHECK(encoded<Signs::positive>({0, 2, 1}, 2)[0] == 0);
  CHECK(encoded<Signs::both>(std::vector<float>(256, 0.0f), 0)[7] == 127);
  CHECK(encoded<Signs::both>({0, 0}, 1e-38f)[1] == 127);
  std::vector<std::uint8_t> codes(256), again(256);
  for (std::size_t i = 0; i < 256; ++i) codes[i] = static_cast<std::uint8_t>(i);
  float x[256];
  decode_block<Signs::both>(codes.data(), 256, 3.5f, x);
  CHECK(encode_block<Signs::both>(x, 256, again.data()) == 3.5f);
  CHECK(again == codes);
}

TEST_CASE("adamw_8bit: shapes that do not fit are refused, also while planning") {
  Workbench<float> plan(1, Execution::planning);
  using Codes = View<Cpu<float>, std::uint8_t, 1>;
  using Scales = View<Cpu<float>, float, 1>;
  const Scales value(nullptr, {1000}), scales(nullptr, {4});
  const Codes codes(nullptr, {1000});
  const AdamWStep step{.learning_rate = 0.1,
                       .beta1 = 0.9,
                       .beta2 = 0.99,
                       .epsilon = 1e-8,
                       .weight_decay = 0,
                       .correction1 = 0.1,
                       .correction2 = 0.01};
  adamw_8bit(plan.ctx, value, value, {codes, scales}, {codes, scales}, step, 1);
  CHECK_THROWS_AS(adamw_8bit(plan.ctx, value, value, {codes, scales}, {codes, value}, step, 1), Error);
  CHECK_THROWS_AS(adamw_8bit(plan.ctx, value, value, {{}, scales}, {codes, scales}, step, 1), Error);
}

}  // namespace adamw_8bit_test
