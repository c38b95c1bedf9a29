// SPDX-License-Identifier: MIT
// The recorded numbers of tests/golden/ppo: a step's answers of several lengths, and what torch made of them.
#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "temper/io/json.hpp"

namespace temper_test {

using namespace temper;

inline const Json& recorded_ppo() {
  static const Json json = read_json(std::filesystem::path(TEMPER_TESTS) / "golden/ppo/expected.json");
  return json;
}
inline std::vector<double> recorded_list(const std::string& key) {
  return recorded_ppo()[key].get<std::vector<double>>();
}
inline double recorded_setting(const std::string& key) { return recorded_ppo()["settings"][key].get<double>(); }

// Where the tokens of each answer begin.
inline std::vector<Index> recorded_starts() {
  std::vector<Index> starts = {0};
  for (const Index length : recorded_ppo()["lengths"].get<std::vector<Index>>())
    starts.push_back(starts.back() + length);
  return starts;
}

// The largest difference to the recorded list of that name.
inline double apart_from(const std::string& key, const std::vector<double>& values) {
  const auto expected = recorded_list(key);
  double largest = values.size() == expected.size() ? 0 : std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < values.size() && i < expected.size(); ++i)
    largest = std::max(largest, std::isfinite(values[i]) ? std::abs(values[i] - expected[i])
                                                         : std::numeric_limits<double>::infinity());
  return largest;
}

}  // namespace temper_test
