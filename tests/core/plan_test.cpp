// SPDX-License-Identifier: MIT
#include "temper/core/plan.hpp"

#include <doctest/doctest.h>

namespace plan_test {

using namespace temper;

Plan example() {
  Plan plan;
  plan.of(Holder::frozen_weights) = std::size_t{3} << 20;
  plan.of(Holder::kept_activations) = std::size_t{1} << 20;
  plan.of(Holder::scratch) = 512;
  plan.operations = {{"matmul", 3, {.flops = 2e9, .bytes = 10}, 0}, {"add", 2, {.flops = 5e8, .bytes = 20}, 0}};
  return plan;
}

TEST_CASE("plan: the holders sum to the peak, and the arena is what a step keeps and scratches") {
  const Plan plan = example();
  CHECK(plan.peak_bytes() == (std::size_t{4} << 20) + 512);
  CHECK(plan.arena_bytes() == (std::size_t{1} << 20) + 512);
  CHECK(Plan().peak_bytes() == 0);
}

TEST_CASE("plan: operations are summed") {
  const Plan plan = example();
  CHECK(plan.calls() == 5);
  CHECK(plan.cost().flops == 2.5e9);
  CHECK(plan.cost().bytes == 30);
}

TEST_CASE("plan: the table has a line for each holder that holds something, the peak, and the work") {
  const std::string table = example().table();
  CHECK(std::count(table.begin(), table.end(), '\n') == 5);
  CHECK(table.find("frozen weights") < table.find("kept activations"));
  CHECK(table.find("3.0 MiB") != std::string::npos);
  CHECK(table.find(" 75.0 %") != std::string::npos);
  CHECK(table.find("512 B") != std::string::npos);
  CHECK(table.find("2.5 GFLOP") != std::string::npos);
  CHECK(table.find("in 5 operations") != std::string::npos);
  CHECK(table.find("gradients") == std::string::npos);
  CHECK(Plan().table().find("0 B") != std::string::npos);
}

TEST_CASE("plan: bytes are shown in the unit that suits them") {
  CHECK(Plan::bytes_text(0) == "0 B");
  CHECK(Plan::bytes_text(1023) == "1023 B");
  CHECK(Plan::bytes_text(1536) == "1.5 KiB");
  CHECK(Plan::bytes_text(std::size_t{5} << 20) == "5.0 MiB");
  CHECK(Plan::bytes_text((std::size_t{5} << 30) + (std::size_t{1} << 28)) == "5.25 GiB");
}

}  // namespace plan_test
