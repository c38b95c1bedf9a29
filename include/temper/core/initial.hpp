// SPDX-License-Identifier: MIT
// How values without a source begin: a number depends on the seed, its parameter's name and its position alone.
#pragma once
#include <cmath>

#include "temper/core/random.hpp"
#include "temper/core/types.hpp"

namespace temper {

struct Initial {
  enum class Kind { zeros, ones, normal, kaiming_uniform };
  Kind kind = Kind::zeros;
  double deviation = 0;  // of normal
};
inline constexpr Initial zeros{Initial::Kind::zeros};
inline constexpr Initial ones{Initial::Kind::ones};
inline constexpr Initial kaiming_uniform{
    Initial::Kind::kaiming_uniform};  // a = sqrt(5): uniform within 1 / sqrt(columns)
constexpr Initial normal(double deviation) { return {Initial::Kind::normal, deviation}; }

// Element i of a tensor with so many columns.
inline float initial_value(Initial initial, const Random& random, Index cols, Index i) {
  const auto element = static_cast<std::uint64_t>(i);
  switch (initial.kind) {
    case Initial::Kind::ones:
      return 1;
    case Initial::Kind::normal:
      return static_cast<float>(initial.deviation * random.normal(element));
    case Initial::Kind::kaiming_uniform:
      return static_cast<float>(1 / std::sqrt(static_cast<double>(cols)) * (2 * random.uniform(element) - 1));
    default:
      return 0;
  }
}

}  // namespace temper
