// SPDX-License-Identifier: MIT
// How many training rows each class has.
#pragma once
#include "temper/data/dataset.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace temper {

struct ClassCount {
  std::string name;
  Index rows = 0;
};

// Most frequent first; none where there are no classes.
inline std::vector<ClassCount> count_classes(const Dataset& dataset) {
  std::vector<ClassCount> counts;
  for (const std::string& name : dataset.labels.names()) counts.push_back({name, 0});
  for (const ClassificationRow& row : dataset.classifications)
    for (const Index label : row.classes) ++counts.at(static_cast<std::size_t>(label)).rows;
  std::stable_sort(counts.begin(), counts.end(),
                   [](const ClassCount& a, const ClassCount& b) { return a.rows > b.rows; });
  return counts;
}

}  // namespace temper
