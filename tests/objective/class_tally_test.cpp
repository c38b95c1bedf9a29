// SPDX-License-Identifier: MIT
#include "temper/objective/class_tally.hpp"

#include <doctest/doctest.h>

namespace class_tally_test {

using namespace temper;

TEST_CASE("class tally: macro F1 is the plain mean over the classes that occur") {
  ClassTally tally;
  tally.counts.resize(4);
  for (const auto& [actual, predicted] : {std::pair<Index, Index>{0, 0}, {0, 0}, {0, 1}, {1, 1}, {2, 0}})
    tally.add(actual, predicted);
  CHECK(tally.counts[0].f1() == doctest::Approx(2.0 / 3));
  CHECK(tally.counts[1].f1() == doctest::Approx(2.0 / 3));
  CHECK(tally.counts[2].f1() == 0);
  CHECK(tally.counts[3].seen() == 0);
  CHECK(tally.macro_f1() == doctest::Approx(4.0 / 9));
  CHECK(ClassTally{}.macro_f1() == 0);
}

TEST_CASE("class tally: parts add up to the whole") {
  ClassTally one, other, whole;
  for (ClassTally* tally : {&one, &other, &whole}) tally->counts.resize(2);
  for (const auto& [actual, predicted] : {std::pair<Index, Index>{0, 0}, {1, 0}}) {
    one.add(actual, predicted);
    other.add(predicted, actual);
    whole.add(actual, predicted);
    whole.add(predicted, actual);
  }
  ClassTally sum;
  sum += one;
  sum += other;
  CHECK(sum.confusions == whole.confusions);
  CHECK(sum.macro_f1() == whole.macro_f1());
  CHECK(sum.counts[0].actual == 3);
}

}  // namespace class_tally_test
