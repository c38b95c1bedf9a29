// SPDX-License-Identifier: MIT
#include "temper/backend/cpu/math.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

namespace math_test {

using namespace temper;

TEST_CASE("exponential: within 2 ulp of e^x wherever e^x is a normal float") {
  double worst = 0;
  for (double exact = -87.3; exact < 88.7; exact += 1.37e-4) {
    const float x = static_cast<float>(exact);
    const double truth = std::exp(static_cast<double>(x));
    const double ulp =
        static_cast<double>(std::nextafter(static_cast<float>(truth), std::numeric_limits<float>::infinity())) -
        static_cast<float>(truth);
    worst = std::max(worst, std::abs(static_cast<double>(exponential(x)) - truth) / ulp);
  }
  CHECK(worst < 2);
}

TEST_CASE("exponential: exact at 0, and right at both ends") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  CHECK(exponential(0.0f) == 1);
  CHECK(exponential(-0.0f) == 1);
  CHECK(exponential(-infinity) == 0);
  CHECK(exponential(std::numeric_limits<float>::lowest()) == 0);
  CHECK(exponential(infinity) == infinity);
  CHECK(exponential(88.8f) == infinity);
  CHECK(exponential(-90.0f) > 0);
  CHECK(std::isnan(exponential(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("exponential: the bits of an element do not depend on its place in a row") {
  std::vector<float> x(259), y(259);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) * 0.37f - 50;
  for (std::size_t begin = 0; begin < 40; ++begin) {
    for (std::size_t i = begin; i < x.size(); ++i) y[i] = sigmoid(x[i]) * exponential(x[i]);
    for (std::size_t i = begin; i < x.size(); ++i) {
      volatile float alone = x[i];
      const float again = sigmoid<float>(alone) * exponential(static_cast<float>(alone));
      REQUIRE(std::memcmp(&again, &y[i], sizeof(float)) == 0);
    }
  }
}

TEST_CASE("sigmoid: symmetric about one half, and flat at both ends") {
  CHECK(sigmoid(0.0f) == 0.5f);
  CHECK(sigmoid(200.0f) == 1);
  CHECK(sigmoid(-200.0f) == 0);
  for (float x = -20; x < 20; x += 0.01f)
    REQUIRE(std::abs(static_cast<double>(sigmoid(x)) - 1 / (1 + std::exp(-static_cast<double>(x)))) < 1.2e-7);
}

TEST_CASE("sum_over: one fixed tree for each length, whatever the alignment") {
  std::vector<float> x(600);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * 7919) % 601) / 601 - 0.5f;
  for (const Index n : {0, 1, 15, 16, 17, 100, 511}) {
    float chain[16] = {};
    for (Index j = 0; j < n; ++j) chain[j % 16] += x[static_cast<std::size_t>(j)];
    for (Index half : {8, 4, 2, 1})
      for (Index i = 0; i < half; ++i) chain[i] += chain[i + half];
    for (std::size_t shift = 0; shift < 17; ++shift) {
      std::vector<float> moved(shift + x.size());
      std::copy(x.begin(), x.end(), moved.data() + shift);
      const float* from = moved.data() + shift;
      REQUIRE(sum_over<float>(n, [=](Index j) { return from[j]; }) == chain[0]);
    }
  }
}

TEST_CASE("maximum_of: the largest, wherever it stands") {
  for (std::size_t at = 0; at < 50; ++at) {
    std::vector<float> x(50, -3.0f);
    x[at] = -2;
    CHECK(maximum_of(x.data(), 50) == -2);
  }
  CHECK(maximum_of<float>(nullptr, 0) == -std::numeric_limits<float>::infinity());
}

TEST_CASE("square_roots: as std::sqrt rounds") {
  float x[chains];
  double y[chains];
  for (Index i = 0; i < chains; ++i) x[i] = static_cast<float>(i) * 0.731f, y[i] = static_cast<double>(x[i]);
  float roots[chains];
  std::copy_n(x, chains, roots);
  square_roots(roots), square_roots(y);
  for (Index i = 0; i < chains; ++i) {
    CHECK(roots[i] == std::sqrt(x[i]));
    CHECK(y[i] == std::sqrt(static_cast<double>(x[i])));
  }
}

TEST_CASE("Pieces: cover everything once") {
  for (const Index total : {0, 1, 16384, 16385, 100000}) {
    const Pieces pieces = Pieces::of_elements(total);
    Index next = 0;
    for (Index i = 0; i < pieces.count(); ++i) {
      CHECK(pieces.begin(i) == next);
      next = pieces.end(i);
    }
    CHECK(next == total);
  }
  CHECK(Pieces::of_rows(10, 1 << 20).each == 1);
}

}  // namespace math_test
