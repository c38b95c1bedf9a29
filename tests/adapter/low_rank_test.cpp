// SPDX-License-Identifier: MIT
// Values, initial values and dropout's laws stand in lora_test.cpp, which sees them through a whole projection.
#include "temper/adapter/low_rank.hpp"

#include "support/layer_bench.hpp"

namespace low_rank_test {

using namespace temper_test;

TEST_CASE("low rank: a layer by itself, with or without dropout") {
  for (const double dropout : {0.0, 0.4}) {
    LayerBench<double> bench;
    LowRank<Cpu<double>> layer{.a = bench.build.parameter("p", "lora_A.weight", {3, 5}, kaiming_uniform),
                               .b = bench.build.parameter("p", "lora_B.weight", {6, 3}, zeros),
                               .scale = 1.5,
                               .drop_probability = dropout,
                               .site = 9};
    CHECK(names_of(layer) == std::vector<std::string>{"p.lora_A.weight", "p.lora_B.weight"});
    for (const double v : bench.output(layer, 7, 5, 6)) CHECK(v == 0);
    const GradientCheck check = check_layer(layer, 7, 5, 6);
    CAPTURE(check.where);
    CHECK(check.largest_error < 1e-7);
  }
}

}  // namespace low_rank_test
