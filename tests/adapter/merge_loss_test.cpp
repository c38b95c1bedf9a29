// SPDX-License-Identifier: MIT
#include "temper/adapter/merge_loss.hpp"

#include <doctest/doctest.h>

namespace merge_loss_test {

using namespace temper;

// Element i is what the function says, in a matrix of more elements than are read at a time.
constexpr Index count = 40'000;
FloatSource source(float (*value)(Index)) {
  return [value](Index first, std::span<float> to) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = value(first + static_cast<Index>(i));
  };
}
const FloatSource base = source([](Index i) { return static_cast<float>(i % 3); });
const FloatSource merged = source([](Index i) { return static_cast<float>(i % 3) + 0.25f; });

TEST_CASE("merge loss: all of a change is kept, half of it, or none") {
  const FloatSource half = source([](Index i) { return static_cast<float>(i % 3) + 0.125f; });
  const MatrixLoss all = matrix_loss("w", count, base, merged, base, merged);
  CHECK(all.kept() == doctest::Approx(1));
  CHECK(all.relative_error() == 0);
  CHECK(all.change == doctest::Approx(count * 0.0625));
  const MatrixLoss some = matrix_loss("w", count, base, merged, base, half);
  CHECK(some.kept() == doctest::Approx(0.5));
  CHECK(some.error == doctest::Approx(count * 0.015625));
  CHECK(matrix_loss("w", count, base, merged, base, base).kept() == doctest::Approx(0));
}

TEST_CASE("merge loss: the total is of what was changed, and what was not has no share") {
  const MatrixLoss idle = matrix_loss("idle", count, base, base, base, merged);
  const MatrixLoss changed = matrix_loss("changed", count, base, merged, base, merged);
  CHECK_FALSE(idle.changed());
  CHECK(idle.relative_error() > 0);
  CHECK(to_json(idle)["kept"].is_null());
  const MatrixLoss total = total_loss({idle, changed});
  CHECK(total.error == 0);
  CHECK(total.kept() == doctest::Approx(1));
  CHECK(total_loss({}).relative_error() == 0);
}

}  // namespace merge_loss_test
