// SPDX-License-Identifier: MIT
// What a label of a classification is: one class of several, any number of classes, or a number. And what of a text is
// held against it: the state of its last token, as transformers does, or the mean over all its tokens.
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

enum class Pooling { last, mean };

inline std::string_view name_of(Pooling pooling) { return pooling == Pooling::mean ? "mean" : "last"; }

}  // namespace temper
