// SPDX-License-Identifier: MIT
#include "temper/data/report/lengths.hpp"
#include <doctest/doctest.h>

namespace temper::lengths_test {

TEST_CASE("lengths: percentiles, mean and a histogram by powers of two") {
  Lengths lengths;
  for (Index i = 100; i >= 1; --i) lengths.add(i);
  const LengthReport report = lengths.report(1000);
  CHECK(report.rows == 100);
  CHECK(report.tokens == 5050);
  CHECK(report.mean == 50.5);
  CHECK(report.shortest == 1);
  CHECK(report.median == 50);
  CHECK(report.p90 == 90);
  CHECK(report.p99 == 99);
  CHECK(report.longest == 100);
  CHECK(report.cut == 0);
  CHECK(report.advised == 1000);
  REQUIRE(report.histogram.size() == 8);
  CHECK(report.histogram[0].rows == 1);
  CHECK(report.histogram[6].from == 33);
  CHECK(report.histogram[6].to == 64);
  CHECK(report.histogram[6].rows == 32);
  CHECK(report.histogram[7].rows == 36);
  Index sum = 0;
  for (const LengthBar& bar : report.histogram) sum += bar.rows;
  CHECK(sum == 100);
}

TEST_CASE("lengths: the advice is the least power of two that cuts fewer than one in a hundred") {
  Lengths lengths;
  for (int i = 0; i < 990; ++i) lengths.add(60);
  for (int i = 0; i < 10; ++i) lengths.add(300);
  CHECK(lengths.report(64).cut == 10);
  CHECK(lengths.report(64).advised == 300);
  lengths.add(10);  // 10 of 1001 are fewer than one in a hundred
  CHECK(lengths.report(64).advised == 64);
  CHECK(lengths.report(32).advised == 64);
}

TEST_CASE("lengths: without rows there is nothing to say, and rows may be empty") {
  Lengths lengths;
  CHECK(lengths.report(64).histogram.empty());
  lengths.add(0);
  const LengthReport report = lengths.report(64);
  CHECK(report.longest == 0);
  REQUIRE(report.histogram.size() == 1);
  CHECK(report.histogram[0].rows == 1);
}

}  // namespace temper::lengths_test
