// SPDX-License-Identifier: MIT
#include "temper/optimizer/schedule.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <limits>

#include "temper/io/json.hpp"

namespace schedule_test {

using namespace temper;

bool within_an_ulp(double a, double b) { return a == b || std::nextafter(a, b) == b; }

// Compares a schedule with a recorded list, and that it stays where it ends.
void compare(const Json& recorded, const Schedule auto& schedule) {
  const auto rates = recorded["rates"].get<std::vector<double>>();
  CHECK_FALSE(rates.empty());
  for (std::size_t step = 0; step < rates.size(); ++step) {
    CAPTURE(step);
    CAPTURE(schedule(static_cast<Step>(step)) - rates[step]);
    CHECK(within_an_ulp(schedule(static_cast<Step>(step)), rates[step]));
  }
}

TEST_CASE("schedule: rates are those of transformers, to the last digit") {
  const Json recorded = read_json(std::filesystem::path(TEMPER_TESTS) / "golden/model/schedules.json");
  int seen = 0;
  for (const Json& entry : recorded) {
    const auto name = entry["scheduler"].get<std::string>();
    const auto peak = entry["learning_rate"].get<double>(), floor = entry["min_learning_rate"].get<double>();
    const auto warmup = entry["warmup_steps"].get<Step>(), total = entry["steps"].get<Step>();
    CAPTURE(name);
    CAPTURE(total);
    CAPTURE(warmup);
    ++seen;
    if (name == "constant")
      compare(entry, Constant{.peak = peak});
    else if (name == "constant_with_warmup")
      compare(entry, Constant{.peak = peak, .warmup = warmup});
    else if (name == "linear")
      compare(entry, Linear{.peak = peak, .warmup = warmup, .total = total, .floor = floor});
    else if (name == "cosine" || name == "cosine_with_min_lr")
      compare(entry, Cosine{.peak = peak, .warmup = warmup, .total = total, .floor = floor});
    else if (name == "warmup_stable_decay" || name == "wsd")
      compare(entry, WarmupStableDecay{.peak = peak, .warmup = warmup, .total = total, .floor = floor});
    else
      FAIL("a schedule that is not compared");
  }
  CHECK(seen == static_cast<int>(recorded.size()));
}

TEST_CASE("schedule: after the last step the rate stays at its floor") {
  for (const Step beyond : {Step{20}, Step{21}, Step{1000}}) {
    CHECK(Linear{.peak = 1, .warmup = 2, .total = 20}(beyond) == 0);
    CHECK(Linear{.peak = 1, .warmup = 2, .total = 20, .floor = 0.1}(beyond) == 0.1);
    CHECK(WarmupStableDecay{.peak = 1, .warmup = 2, .total = 20, .floor = 0.1}(beyond) == 0.1);
    CHECK(Constant{.peak = 1, .warmup = 2}(beyond) == 1);
  }
  CHECK(Cosine{.peak = 1, .warmup = 2, .total = 20}(20) == doctest::Approx(0).epsilon(1e-15));
}

TEST_CASE("schedule: runs of no or one step, or of nothing but warm-up, have finite rates") {
  for (const Step total : {0, 1, 3})
    for (const Step warmup : {0, 1, 3})
      for (const Step step : {0, 1, 2, 3, 4}) {
        for (const double rate :
             {Constant{.peak = 1, .warmup = warmup}(step), Linear{.peak = 1, .warmup = warmup, .total = total}(step),
              Cosine{.peak = 1, .warmup = warmup, .total = total}(step),
              WarmupStableDecay{.peak = 1, .warmup = warmup, .total = total}(step)}) {
          CHECK(rate >= 0);
          CHECK(rate <= 1);
        }
      }
}

TEST_CASE("schedule: a rate of zero stays zero") {
  CHECK(Linear{.peak = 0, .total = 10}(5) == 0);
  CHECK(Constant{.peak = 0}(5) == 0);
  CHECK(Cosine{.peak = 0, .total = 10}(5) == 0);
  CHECK(WarmupStableDecay{.peak = 0, .total = 20}(19) == 0);
}

}  // namespace schedule_test
