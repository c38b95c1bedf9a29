// SPDX-License-Identifier: MIT
// One of several objectives, chosen while the program runs: a program that offers them all compiles its models once.
#pragma once
#include <utility>
#include <variant>

#include "temper/objective/objective.hpp"

namespace temper {

template <class... O>
struct AnyObjective {
  std::variant<O...> objective;

  // Calls work(objective) with the one that was chosen.
  template <class Work>
  decltype(auto) visit(Work&& work) const {
    return std::visit(std::forward<Work>(work), objective);
  }
};

}  // namespace temper
