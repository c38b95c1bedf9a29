// SPDX-License-Identifier: MIT
// Without sanitizers; with them, a program of its own runs each bug, since it ends there: planted_bugs.cpp.
#include <doctest/doctest.h>

#include "kernel/planted_bugs.hpp"

namespace temper::test::kernels::planted_bugs_test {

TEST_CASE("planted bugs: the kernels without a bug are right") {
  const auto said = caught(Bug::none);
  CHECK(said.value_or("nothing") == "nothing");
}

TEST_CASE("planted bugs: fibers tell of each of them") {
  if constexpr (device::watch::addresses || device::watch::races) return;
  for (const auto& named : bug_names) {
    if (named.second == Bug::none) continue;
    CAPTURE(named.first);
    CHECK(caught(named.second).has_value());
  }
}

TEST_CASE("planted bugs: what can be named is named") {
  if constexpr (device::watch::addresses || device::watch::races) return;
  const std::pair<Bug, std::string_view> codes[] = {
      {Bug::half_a_warp, "kernel.divergent"},        {Bug::wrong_shuffle_mask, "kernel.lane"},
      {Bug::divergent_barrier, "kernel.stuck"},      {Bug::barrier_in_each_branch, "kernel.divergent"},
      {Bug::shared_overflow, "kernel.shared"},       {Bug::missing_tail_write_guard, "kernel.overrun"},
      {Bug::misaligned_vector, "kernel.misaligned"}, {Bug::copies_never_waited_for, "kernel.copies"},
      {Bug::missing_wait, "a wrong value: -nan"},    {Bug::uninitialised_shared, "a wrong value: -nan"},
  };
  for (const auto& [bug, code] : codes) {
    const std::string said = caught(bug).value_or("nothing");
    CAPTURE(said);
    CHECK(said.find(code) == 0);
  }
}

}  // namespace temper::test::kernels::planted_bugs_test
