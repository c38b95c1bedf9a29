// SPDX-License-Identifier: MIT
// What a label of a classification is: one class of several, any number of classes, or a number.
#pragma once
#include <string_view>

namespace temper {

enum class Problem { automatic, single_label, multi_label, regression };

inline std::string_view name_of(Problem problem) {
  return problem == Problem::single_label  ? "single_label"
         : problem == Problem::multi_label ? "multi_label"
         : problem == Problem::regression  ? "regression"
                                           : "auto";
}

}  // namespace temper
