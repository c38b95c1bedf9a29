// SPDX-License-Identifier: MIT
#include "temper/core/random.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

namespace random_test {

using namespace temper;

struct Moments {
  double mean = 0, variance = 0, fourth = 0;
};
Moments moments_of(const std::vector<double>& values) {
  Moments m;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) m.mean += v / n;
  for (const double v : values) m.variance += std::pow(v - m.mean, 2) / n, m.fourth += std::pow(v - m.mean, 4) / n;
  return m;
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const Moments of_a = moments_of(a), of_b = moments_of(b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - of_a.mean) * (b[i] - of_b.mean);
  return sum / static_cast<double>(a.size()) / std::sqrt(of_a.variance * of_b.variance);
}

constexpr std::size_t many = 40000;

std::vector<double> uniforms(Random random) {
  std::vector<double> values(many);
  for (std::size_t i = 0; i < many; ++i) values[i] = random.uniform(i);
  return values;
}

TEST_CASE("random: philox gives the known answers of its authors' library, Random123") {
  CHECK(philox({0, 0, 0, 0}, 0) == Random4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint32_t full = 0xffffffff;
  CHECK(philox({full, full, full, full}, 0xffffffffffffffff) ==
        Random4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822) ==
        Random4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("random: a site's number is the FNV-1a hash of its name") {
  CHECK(random_site("") == 0x811c9dc5);
  CHECK(random_site("a") == 0xe40c292c);
  CHECK(random_site("foobar") == 0xbf9cf968);
}

TEST_CASE("random: four elements share a block, and elements past 32 bits are others") {
  const Random random{.seed = 7, .site = 3, .step = 5};
  for (std::uint64_t e = 0; e < 12; ++e)
    CHECK(random.bits(e) == philox({static_cast<std::uint32_t>(e / 4), 0, 5, 3}, 7)[e % 4]);
  const std::uint64_t far = std::uint64_t{1} << 40;
  CHECK(random.bits(far) == philox({0, 1 << 6, 5, 3}, 7)[0]);
  CHECK(random.bits(far) != random.bits(0));
}

TEST_CASE("random: eight elements of sixteen bits share a block, and a site's name may come in two parts") {
  const Random random{3, 4, 5};
  for (std::uint64_t i = 0; i < 24; ++i)
    CHECK(random.bits16(i) == (random.block(i / 8)[i % 8 / 2] >> (i % 2 * 16) & 0xffffu));
  CHECK(random_site("weight", random_site("rounding ")) == random_site("rounding weight"));
}

TEST_CASE("random: uniform numbers lie in [0, 1) with the moments of the uniform distribution") {
  const auto values = uniforms({.seed = 42, .site = 1, .step = 0});
  for (const double v : values) {
    REQUIRE(v >= 0);
    REQUIRE(v < 1);
    REQUIRE(v == static_cast<double>(static_cast<float>(v)));
  }
  const Moments m = moments_of(values);
  CHECK(m.mean == doctest::Approx(0.5).epsilon(0.01));
  CHECK(m.variance == doctest::Approx(1.0 / 12).epsilon(0.02));
  CHECK(m.fourth == doctest::Approx(1.0 / 80).epsilon(0.03));
}

TEST_CASE("random: normal numbers have the moments of the normal distribution, and neighbours are independent") {
  const Random random{.seed = 42, .site = 1, .step = 0};
  std::vector<double> values(many), even, odd;
  for (std::size_t i = 0; i < many; ++i) {
    values[i] = random.normal(i);
    (i % 2 ? odd : even).push_back(values[i]);
  }
  const Moments m = moments_of(values);
  CHECK(std::abs(m.mean) < 0.02);
  CHECK(m.variance == doctest::Approx(1).epsilon(0.02));
  CHECK(m.fourth == doctest::Approx(3).epsilon(0.05));
  CHECK(std::abs(correlation(even, odd)) < 0.03);
}

TEST_CASE("random: seeds, steps and sites draw unrelated numbers, and the same ones draw the same") {
  const auto base = uniforms({.seed = 1, .site = 1, .step = 1});
  CHECK(base == uniforms({.seed = 1, .site = 1, .step = 1}));
  for (const Random other :
       {Random{2, 1, 1}, Random{1, 2, 1}, Random{1, 1, 2}, Random{1 + (std::uint64_t{1} << 32), 1, 1}})
    CHECK(std::abs(correlation(base, uniforms(other))) < 0.02);
}

TEST_CASE("random: numbers below a bound are uniform over it") {
  const Random random{.seed = 9};
  for (const std::uint32_t bound : {1u, 7u, 1000u}) {
    std::vector<int> counts(bound, 0);
    for (std::uint64_t e = 0; e < 100 * bound; ++e) {
      const std::uint64_t n = random.below(e, bound);
      REQUIRE(n < bound);
      ++counts[n];
    }
    for (const int count : counts) CHECK(std::abs(count - 100) < 60);
  }
  const std::uint32_t large = 0xfffffff0;
  double mean = 0;
  for (std::uint64_t e = 0; e < 10000; ++e) mean += static_cast<double>(random.below(e, large)) / 10000;
  CHECK(mean == doctest::Approx(0.5 * large).epsilon(0.02));
}

}  // namespace random_test
