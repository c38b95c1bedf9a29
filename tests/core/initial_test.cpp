// SPDX-License-Identifier: MIT
#include "temper/core/initial.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace initial_test {

using namespace temper;

TEST_CASE("initial: kaiming-uniform stays within one over the root of the columns, and comes near it") {
  const Random random{1, random_site("w"), 0};
  float least = 0, most = 0;
  for (Index i = 0; i < 4096; ++i) {
    const float value = initial_value(kaiming_uniform, random, 64, i);
    least = std::min(least, value), most = std::max(most, value);
  }
  CHECK(most <= 0.125f);
  CHECK(most > 0.124f);
  CHECK(least >= -0.125f);
  CHECK(least < -0.124f);
}

TEST_CASE("initial: normal values have their mean and deviation, and a value is its seed's, name's and place's") {
  const Random random{1, random_site("w"), 0};
  double sum = 0, squares = 0;
  constexpr Index count = 20000;
  for (Index i = 0; i < count; ++i) {
    const double value = static_cast<double>(initial_value(normal(0.02), random, 10, i));
    sum += value, squares += value * value;
  }
  CHECK(std::abs(sum / count) < 3 * 0.02 / std::sqrt(static_cast<double>(count)));
  CHECK(std::sqrt(squares / count) == doctest::Approx(0.02).epsilon(0.02));
  CHECK(initial_value(normal(0.02), random, 10, 7) == initial_value(normal(0.02), random, 99, 7));
  CHECK(initial_value(normal(0.02), random, 10, 7) !=
        initial_value(normal(0.02), Random{2, random_site("w"), 0}, 10, 7));
  CHECK(initial_value(normal(0.02), random, 10, 7) !=
        initial_value(normal(0.02), Random{1, random_site("v"), 0}, 10, 7));
  CHECK(initial_value(zeros, random, 10, 7) == 0);
  CHECK(initial_value(ones, random, 10, 7) == 1);
}

}  // namespace initial_test
