// SPDX-License-Identifier: MIT
// One thing that the data report found: what kind, how grave, in how many rows, where, and what it means. The code is
// stable; the sentence is for people.
#pragma once
#include "temper/core/types.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

inline constexpr std::size_t max_finding_places = 1000;

// The first places of something, and how many there are. Beyond a thousand they are counted only.
class FoundPlaces {
 public:
  void add(std::string place) {
    ++count_;
    if (first_.size() < max_finding_places) first_.push_back(std::move(place));
  }
  Index count() const { return count_; }
  const std::vector<std::string>& first() const { return first_; }

 private:
  Index count_ = 0;
  std::vector<std::string> first_;
};

enum class Severity { warning, note };  // what likely harms the result; what is worth to know

inline std::string_view name_of(Severity severity) { return severity == Severity::warning ? "warning" : "note"; }

struct Finding {
  std::string_view code;
  Severity severity = Severity::note;
  Index count = 0;                  // of rows, or of what the sentence says
  std::vector<std::string> places;  // the first of them, as file:line, with what stands there
  std::string sentence;
};

// 'x of y, z %', as the sentences say it.
inline double percent(Index part, Index whole) {
  return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

}  // namespace temper
