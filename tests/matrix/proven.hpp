// SPDX-License-Identifier: MIT
// What one adapter has shown in docs/support.md.
#pragma once
#include <array>

namespace temper_test {

struct Proven {
  std::array<std::array<int, 6>, 7> cells{};  // that hold, by storage and family
  int gradients = 0, folders = 0, resumed = 0;
};

}  // namespace temper_test
