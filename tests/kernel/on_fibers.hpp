// SPDX-License-Identifier: MIT
// Runs the cases of a kernel on fibers, in each order of threads and blocks: right, and the same bits in all of them.
// What a sanitizer sees does not depend on the order, so one is enough for it.
#pragma once
#include <doctest/doctest.h>

#include "kernel/kernel_cases.hpp"

namespace temper::test::kernels {

inline void agree_on_fibers(const KernelCases& cases) {
  REQUIRE(!cases.empty());
  device::Stream streams[] = {device::Stream(device::Order::forward), device::Stream(device::Order::reverse),
                              device::Stream(device::Order::shuffled, 5)};
  for (const KernelCase& one : cases) {
    CAPTURE(one.name);
    std::uint64_t bits = 0;
    for (device::Stream& stream : streams) {
      if ((device::watch::addresses || device::watch::races) && &stream != &streams[2]) continue;
      const Outcome outcome = one.run(stream);
      CAPTURE(outcome.where);
      CHECK(outcome.elements > 0);
      CHECK(outcome.worst <= 1.0);
      if (bits == 0) bits = outcome.bits;
      CHECK(outcome.bits == bits);
    }
  }
}

}  // namespace temper::test::kernels
