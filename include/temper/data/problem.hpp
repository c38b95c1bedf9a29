// SPDX-License-Identifier: MIT
// What a label of a classification is: one class of several, any number of classes, or a number.
#pragma once

namespace temper {

enum class Problem { automatic, single_label, multi_label, regression };

}  // namespace temper
